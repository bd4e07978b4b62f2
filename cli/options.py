"""Options that commands share. A job's module takes them without the command too, so that jobs declare them."""

from train_jobs.runtime.options import Delimiter, Home, Json, QuotingOption

__all__ = ["Delimiter", "Home", "Json", "QuotingOption"]
