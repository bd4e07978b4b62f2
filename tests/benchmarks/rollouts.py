"""How a thousand simulated rollouts end, and after how many labelled texts: a line of JSON for each kind of challenger.

`nice python -m tests.benchmarks.rollouts --rollouts 1000 --labels 10000`, some minutes; looked at after every text.
"""

from __future__ import annotations

import argparse
import json

from tests.unit.rollout.simulated import Truth, simulate

#: Texts that one of the two alone gets right, of a hundred; and how many more of them the champion gets.
TRUTHS = [Truth(behind, share) for share in (0.06, 0.1, 0.2) for behind in (-0.02, 0.0, 0.01, 0.03)] + [Truth(0.1, 0.2)]


def main() -> None:
    """Simulate each kind of challenger."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rollouts", type=int, default=1000)
    parser.add_argument("--labels", type=int, default=10_000, help="most labelled texts of a rollout")
    parser.add_argument("--every", type=int, default=1, help="texts between two looks")
    given = parser.parse_args()
    for seed, truth in enumerate(TRUTHS):
        verdicts = simulate(truth, rollouts=given.rollouts, labels=given.labels, seed=seed, every=given.every)
        print(json.dumps({"behind": truth.behind, "discordant": truth.discordant, **verdicts.told()}), flush=True)


if __name__ == "__main__":
    main()
