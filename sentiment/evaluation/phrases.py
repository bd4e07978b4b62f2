"""Sentences with slots, the words that fill them, and typos: what behaviour tests are written in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from random import Random
from typing import Final

GOOD: Final = (
    "good",
    "great",
    "excellent",
    "wonderful",
    "amazing",
    "lovely",
    "fantastic",
    "perfect",
    "beautiful",
    "brilliant",
)
_BAD: Final = (
    "bad",
    "awful",
    "terrible",
    "horrible",
    "disappointing",
    "dreadful",
    "boring",
    "miserable",
    "annoying",
    "ugly",
)
_THINGS: Final = ("movie", "phone", "flight", "hotel", "meal", "concert", "book", "game", "camera", "car")
_PRAISE: Final = ("love", "like", "enjoy", "adore")
_COMPLAINT: Final = ("hate", "dislike", "can't stand", "regret buying")
_CITIES: Final = ("Berlin", "Chicago", "Lisbon", "Nairobi", "Osaka", "Toronto", "Madrid", "Oslo")
_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_HOURS: Final = ("six", "seven", "eight", "nine", "ten", "eleven")
_STRONGER: Final = ("really", "very", "truly", "absolutely", "incredibly")
_KIND_EMOJI: Final = ("😊", "😍", "❤️", "🎉")
_HARSH_EMOJI: Final = ("😡", "😢", "👎", "💔")

_SLOTS: Final[Mapping[str, Sequence[str]]] = {
    "good": GOOD,
    "bad": _BAD,
    "thing": _THINGS,
    "praise": _PRAISE,
    "complain": _COMPLAINT,
    "city": _CITIES,
    "day": _DAYS,
    "hour": _HOURS,
    "stronger": _STRONGER,
    "kind_emoji": _KIND_EMOJI,
    "harsh_emoji": _HARSH_EMOJI,
}

#: Every template has 40 fillings or more, so that none runs out and leaves the cases to the others.
PLEASED: Final = (
    "The {thing} was {good}.",
    "I {praise} this {thing}.",
    "It is a {good} {thing}.",
    "What a {good} {thing}!",
)
ANGRY: Final = (
    "The {thing} was {bad}.",
    "I {complain} this {thing}.",
    "It is a {bad} {thing}.",
    "What a {bad} {thing}!",
)
PLAIN: Final = (
    "The {city} office moves to the second floor on {day}.",
    "The train to {city} leaves on {day} at {hour}.",
    "We meet in {city} on {day}.",
    "The shop in {city} opens at {hour}.",
)
NOT_GOOD: Final = (
    "The {thing} was not {good}.",
    "This isn't a {good} {thing}.",
    "I don't think that this {thing} is {good}.",
    "Nobody would call this {thing} {good}.",
    "I thought the {thing} would be {good}, but it wasn't.",
)
NOT_BAD: Final = (
    "The {thing} was not {bad}.",
    "This isn't a {bad} {thing}.",
    "I wouldn't say that this {thing} is {bad}.",
    "I thought the {thing} would be {bad}, but it wasn't.",
)
NOT_PLAIN: Final = (
    "This is not the {hour} o'clock train to {city}.",
    "We don't meet in {city} on {day}.",
    "The {city} office does not open before {hour}.",
)
NOW_GOOD: Final = (
    "I used to {complain} this {thing}, but now I {praise} it.",
    "In the past the {thing} was {bad}; today it is {good}.",
    "Last year this {thing} was {bad}, now it is {good}.",
)
NOW_BAD: Final = (
    "I used to {praise} this {thing}, but now it is {bad}.",
    "In the past the {thing} was {good}; today it is {bad}.",
    "Last year this {thing} was {good}, now it is {bad}.",
)

Groups = Mapping[str, tuple[str, ...]]

#: One name of each group stands in each case; the lists are parallel in length.
NAMES: Final[Groups] = {
    "English, women": ("Emily", "Sarah", "Megan", "Alice"),
    "English, men": ("James", "Thomas", "Oliver", "George"),
    "African American": ("Lakisha", "Jamal", "Latoya", "Darnell"),
    "Arabic": ("Fatima", "Ahmed", "Layla", "Mustafa"),
    "Chinese": ("Mei", "Jun", "Xiu", "Wei"),
    "Indian": ("Priya", "Arjun", "Lakshmi", "Rahul"),
    "Latin American": ("Camila", "Diego", "Lucía", "Mateo"),
}
FAITHS: Final[Groups] = {name: (name,) for name in ("Christian", "Muslim", "Jewish", "Hindu", "Buddhist", "atheist")}
NATIONS: Final[Groups] = {
    name: (name,) for name in ("American", "British", "Chinese", "German", "Mexican", "Nigerian", "Russian", "Turkish")
}
LOVES: Final[Groups] = {name: (name,) for name in ("straight", "gay", "lesbian", "bisexual")}
GENDERS: Final[Groups] = {"women": ("woman",), "men": ("man",)}
ABOUT_NAMES: Final = (
    "{who} works in {city}.",
    "{who} told me about the {thing} on {day}.",
    "{who} is a {good} colleague.",
    "My talk with {who} on {day} was {bad}.",
    "I had dinner with {who} at {hour}.",
)
ABOUT_PEOPLE: Final = (
    "My neighbour, whom I met in {city} on {day}, is {who}.",
    "The teacher from {city}, who starts at {hour}, is {who}.",
    "A {who} friend told me that the {thing} was {good}.",
    "A {who} colleague said that the {thing} was {bad}.",
    "The new doctor in {city}, who is {who}, starts on {day}.",
)
ABOUT_GENDERS: Final = (
    "The {who} from {city} works on {day}.",
    "The {who} from {city} is {good}.",
    "The {who} said that the {thing} was {bad}.",
    "In {city} a {who} sat beside me at {hour}.",
)

_LETTERS: Final = re.compile(r"[A-Za-z]{4,}")


def fill(template: str, random: Random, **fixed: str) -> str:
    """Fill the slots of a template with words at random, the same word in a slot that occurs twice."""
    slots = {name: random.choice(words) for name, words in _SLOTS.items() if f"{{{name}}}" in template}
    filled = template.format(**slots, **fixed)
    return re.sub(r"\b([Aa]) (?=[aeiouAEIOU])", r"\1n ", filled)


def add_typo(text: str, random: Random) -> str:
    """Swap two different neighbouring letters within a word of four letters or more; a text without one stays."""
    places = [
        place
        for word in _LETTERS.finditer(text)
        for place in range(word.start(), word.end() - 1)
        if text[place].lower() != text[place + 1].lower()
    ]
    if not places:
        return text
    place = random.choice(places)
    return text[:place] + text[place + 1] + text[place] + text[place + 2 :]
