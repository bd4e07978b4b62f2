"""The language of a text: an identifier (`identifier`), what follows from what it says (`support`), names (`names`)."""

from sentiment.language.identifier import Identify, open_identifier
from sentiment.language.names import LANGUAGES, languages_problem, name_of, parse_languages, unsupported_words
from sentiment.language.support import UNTOLD, DetectedLanguage, detect_language

__all__ = [
    "LANGUAGES",
    "UNTOLD",
    "DetectedLanguage",
    "Identify",
    "detect_language",
    "languages_problem",
    "name_of",
    "open_identifier",
    "parse_languages",
    "unsupported_words",
]
