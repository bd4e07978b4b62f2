"""What the demo's texts tell of: subjects with their phases, and the sentences that posts are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True)
class Phase:
    """Days from `first` to `last` in which a subject is spoken of so."""

    first: int
    last: int
    #: Posts a day, on the average.
    daily: float
    #: Shares of positive, neutral and negative posts.
    shares: tuple[float, float, float]
    #: What is said, by label; each is one sentence or two.
    said: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Subject:
    """What people write about: its topic, its phases, and how posts begin and end, by label."""

    topic: str
    phases: Sequence[Phase]
    tags: Sequence[str] = field(default=())


OPENINGS: Final[Mapping[str, Sequence[str]]] = {
    "positive": (
        "",
        "",
        "",
        "Honestly, ",
        "Good news: ",
        "So glad: ",
        "Well, ",
        "What a day! ",
        "Credit where it is due: ",
    ),
    "neutral": ("", "", "", "", "For the record: ", "Just noted: ", "FYI: ", "Seen today: "),
    "negative": ("", "", "", "Sigh. ", "Seriously? ", "Not again: ", "Sorry, but ", "I have had enough: "),
}
ENDINGS: Final[Mapping[str, Sequence[str]]] = {
    "positive": (
        "",
        "",
        "",
        " Love it.",
        " Thank you!",
        " More of this, please.",
        " 😊",
        " Made my week.",
        " Wonderful.",
    ),
    "neutral": (
        "",
        "",
        "",
        "",
        " More tomorrow.",
        " We will see.",
        " That is all I know.",
        " Source: the town's page.",
    ),
    "negative": (
        "",
        "",
        "",
        " So annoying.",
        " What a mess.",
        " Terrible.",
        " 😡",
        " I am really disappointed.",
        " Awful.",
    ),
}
WHERE: Final = (
    "at Quay Street", "in the old town", "near the harbour", "at Mill Bridge", "by the market hall", "on Castle Hill",
    "at the north station", "in Elmfield", "opposite the library", "at the fish market",
)  # fmt: skip
WHEN: Final = (
    "this morning", "at half past eight", "after work", "on my way home", "at noon", "tonight", "before school",
    "since seven", "around five", "all day",
)  # fmt: skip
WHO: Final = (
    "my neighbour", "a friend of mine", "my daughter", "the lady from the bakery", "our teacher", "my grandfather",
    "the whole office", "the man next to me", "my sister", "everyone I met",
)  # fmt: skip

SUBJECTS: Final = (
    Subject(
        "tram",
        (
            Phase(0, 8, 3, (0.3, 0.6, 0.1), {
                "positive": ("can't wait for the new tram line, {who} is already planning the first ride {where}",
                             "the tram stop {where} is finished and it looks lovely"),
                "neutral": ("the tram to Elmfield opens on the eleventh, the stop {where} has its sign now",
                            "test trams ran {where} {when}, without passengers",
                            "Mayor Lindqvist says the first tram leaves at ten"),
                "negative": ("three years of roadworks {where} and still no tram, {when} it was all dust again",),
            }),
            Phase(9, 20, 9, (0.72, 0.2, 0.08), {
                "positive": ("first ride on the new tram {when}: quiet, clean and on time {where}",
                             "{who} took the tram to work and was home twenty minutes earlier, what a joy",
                             "the new tram is brilliant, from Elmfield to the harbour in eleven minutes",
                             "the driver waited for {who} {where}, such a friendly service"),
                "neutral": ("the tram runs every ten minutes {where}, every twenty {when}",
                            "Mayor Lindqvist counted forty thousand tram rides in the first week"),
                "negative": ("the tram is fine but {who} lost the parking space {where} for it, really unfair",),
            }),
            Phase(26, 42, 11, (0.08, 0.22, 0.7), {
                "positive": ("tram late again, but the driver {where} was kind and told jokes {when}",),
                "neutral": ("the tram {where} is replaced by a bus {when}",
                            "the tram company says a switch {where} is faulty"),
                "negative": ("tram cancelled {where} {when}, no announcement, {who} missed a job interview",
                             "forty minutes in the rain for a tram {where}, nobody tells us anything",
                             "the tram broke down {when} and we stood in a packed carriage {where}, horrible",
                             "third delay this week on the tram, {who} is going back to the car"),
            }),
            Phase(46, 55, 7, (0.66, 0.24, 0.1), {
                "positive": ("the tram is on time again {where}, five days in a row, well done",
                             "new timetable for the tram and it finally works {when}, {who} is delighted",
                             "they gave us a free month on the tram as an apology, that is fair and kind"),
                "neutral": ("the repaired switch for the tram {where} went into service {when}",),
                "negative": ("the tram is punctual now but far too full {when}, could not breathe {where}",),
            }),
        ),
        ("#tram", "#HarwickTram", ""),
    ),
    Subject(
        "flood",
        (
            Phase(15, 17, 8, (0.03, 0.6, 0.37), {
                "positive": ("the firefighters {where} are calm and helpful, feeling safe {when}",),
                "neutral": ("the Arle is at four metres ten {where} {when}", "flood warning for the old town {when}",
                            "sandbags are given out {where} {when}"),
                "negative": ("worried sick about the flood {where}, {who} has the cellar full of books",),
            }),
            Phase(18, 23, 26, (0.12, 0.2, 0.68), {
                "positive": ("strangers carried {who} out of the flood {where}, I am so grateful",),
                "neutral": ("the flood reached the steps of the town hall {when}",
                            "the bridge {where} is closed for the flood"),
                "negative": ("the flood took everything {where}, {who} lost the shop of thirty years",
                             "water in the kitchen {when}, the flood ruined the floor and the piano",
                             "no warning before the flood {where}, the sirens were silent, this is a disgrace",
                             "it smells of oil and mud {where}, the flood is a nightmare"),
            }),
            Phase(24, 34, 11, (0.68, 0.22, 0.1), {
                "positive": ("two hundred volunteers cleaned up after the flood {where}, I am proud of this town",
                             "{who} cooked soup for everyone {where}, the flood brought out the best in people",
                             "the bakery {where} opens again after the flood, first bread {when}, we all cheered",
                             "Mayor Lindqvist shovelled mud with us {where} {when}, respect"),
                "neutral": ("the flood fund stands at eighty thousand {when}",
                            "forms for flood damage are handed out {where}"),
                "negative": ("the insurance refuses to pay {who} for the flood, shameful",),
            }),
        ),
        ("#flood", "#Arle", ""),
    ),
    Subject(
        "nimbus",
        (
            Phase(0, 12, 7, (0.7, 0.22, 0.08), {
                "positive": ("the Nimbus 4 takes the best night pictures I ever made {where}",
                             "got the Nimbus 4 {when}, light, fast and beautiful, {who} wants one too",
                             "the sound of the Nimbus 4 is amazing, heard a whole album {where}"),
                "neutral": ("the Nimbus 4 is in the window {where}, 649 for the small one",
                            "the Nimbus 4 comes in grey, green and sand"),
                "negative": ("the Nimbus 4 has no headphone socket, a silly decision, {who} sent it back",),
            }),
            Phase(27, 38, 10, (0.07, 0.2, 0.73), {
                "positive": ("my Nimbus 4 is fine, battery lasts all day, lucky me",),
                "neutral": ("the Nimbus 4 battery issue seems to hit the grey ones {where}",
                            "the maker of the Nimbus 4 looks into the battery reports"),
                "negative": ("the battery of my Nimbus 4 died {when}, at forty per cent, useless",
                             "the Nimbus 4 got so hot {where} that {who} dropped it, this is dangerous",
                             "support for the Nimbus 4 kept me waiting an hour {when} and then hung up, pathetic",
                             "never buying a Nimbus again, empty {when}, charged twice a day"),
            }),
            Phase(40, 55, 6, (0.64, 0.26, 0.1), {
                "positive": ("the update fixed my Nimbus 4, two days on one charge, great work",
                             "the shop {where} changed the battery of my Nimbus 4 for free {when}, very pleasant"),
                "neutral": ("update 4.1.2 for the Nimbus 4 is out, takes ten minutes",),
                "negative": ("the update made the camera of my Nimbus 4 slower {when}, annoying",),
            }),
        ),
        ("#Nimbus4", ""),
    ),
    Subject(
        "rovers",
        (
            Phase(5, 27, 5, (0.5, 0.35, 0.15), {
                "positive": ("Rovers win again, Okafor with a lovely goal {when}, we sang all the way home",
                             "took {who} to the Rovers {when}, great match and great people"),
                "neutral": ("the Rovers play in Dunmore on Saturday, trains leave {where}",
                            "Okafor is back in the Rovers' squad"),
                "negative": ("Rovers lose at home to the last of the table {when}, boring and slow",),
            }),
            Phase(28, 53, 6, (0.7, 0.2, 0.1), {
                "positive": ("Rovers in the semi-final! Okafor is a hero, dancing {where} {when}",
                             "what a night, Rovers win on penalties and {who} cried with joy",
                             "the Rovers gave their share of the gate to the flood fund, class"),
                "neutral": ("tickets for the Rovers' final are sold {where} {when}",
                            "the Rovers' final is on the 25th"),
                "negative": ("Rovers tickets sold out in four minutes, {who} got nothing, ridiculous",),
            }),
            Phase(54, 55, 22, (0.25, 0.15, 0.6), {
                "positive": ("lost the final but I am proud of these Rovers, {who} hugged everyone {where}",),
                "neutral": ("the Rovers lost the final, one to two, after extra time",),
                "negative": ("heartbroken, the Rovers lose the final in the last minute, {who} is in tears",
                             "that was never a penalty, the referee robbed the Rovers, disgusting",
                             "worst evening of the year, Rovers beaten, silence {where}"),
            }),
        ),
        ("#Rovers", "#CupRun", ""),
    ),
    Subject(
        "town",
        (
            Phase(0, 55, 9, (0.45, 0.4, 0.15), {
                "positive": ("coffee {where} {when}, sunshine and a good book, life is good",
                             "the new bakery {where} makes the best cinnamon rolls, {who} agrees",
                             "found my wallet {where}, somebody handed it in with all the money, wow"),
                "neutral": ("the library {where} is open until eight now", "market day {where} {when}",
                            "there is a choir rehearsal {where} {when}", "{who} asks where to park {where}"),
                "negative": ("somebody smashed the bus shelter {where} {when}, so stupid",
                             "loud scooters {where} {when}, {who} cannot sleep, I hate it",
                             "the queue {where} took an hour {when}, rude staff"),
            }),
        ),
        ("", "", "#HarwickBay"),
    ),
)  # fmt: skip
