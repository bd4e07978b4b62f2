"""Who handles a signal after a library has taken it."""

import signal
import threading

from train_jobs.runtime.signals import signal_handlers_restored


def test_handlers_are_restored_after_a_library_has_taken_them() -> None:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
    before = [signal.getsignal(number) for number in numbers]
    with signal_handlers_restored():
        for number in numbers:
            signal.signal(number, lambda *_: None)
    assert [signal.getsignal(number) for number in numbers] == before


def test_another_thread_leaves_signals_alone() -> None:
    ran: list[bool] = []

    def run() -> None:
        with signal_handlers_restored():
            ran.append(True)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert ran == [True]
