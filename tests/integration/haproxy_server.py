"""HAProxy as Serve runs it for a platform, in front of servers of a test; says "ready", ends with its input.

    python -m tests.integration.haproxy_server PORT SERVER_PORT…

Serve reads its settings when it is imported: the environment must hold those of `haproxy_environment`.
"""

from __future__ import annotations

import asyncio
import sys

from ray.serve._private.haproxy import BackendConfig, HAProxyApi, HAProxyConfig, ServerConfig
from ray.serve.config import HTTPOptions


async def _serve(port: int, servers: list[int]) -> None:
    config = HAProxyConfig(http_options=HTTPOptions(host="127.0.0.1", port=port))
    targets = [ServerConfig(f"server-{number}", "127.0.0.1", server) for number, server in enumerate(servers)]
    haproxy = HAProxyApi(config, {"gateways": BackendConfig("gateways", "/", servers=targets)})
    await haproxy.start()
    try:
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.read)
    finally:
        await haproxy.stop()


if __name__ == "__main__":
    own, *others = map(int, sys.argv[1:])
    asyncio.run(_serve(own, others))
