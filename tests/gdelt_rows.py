"""Rows as GDELT writes them, made up for tests."""

from __future__ import annotations

PLACE_V1 = "4#Paris, France (General), France#FR#FR00#48.8667#2.33333#-1456928"
PLACE_V2 = "4#Paris, France (General), France#FR#FR00#16282#48.8667#2.33333#-1456928#120"
COUNTRY_V1 = "1#Germany#GM#GM#51.5#10.5#GM"
COUNTRY_V2 = "1#German#GM#GM##51.5#10.5#GM#44"


def gkg_row(number: int = 0, title: str | None = "Flood closes the old bridge", stamp: str = "20260301120000") -> str:
    """Return an article of GKG 2.1."""
    extras = "<PAGE_LINKS>http://a.example/1;http://a.example/2</PAGE_LINKS><PAGE_AUTHORS>Ann Lee</PAGE_AUTHORS>"
    cells = {
        0: f"{stamp}-{number}",
        1: stamp,
        2: "1",
        3: "herald.example",
        4: f"https://herald.example/{number}",
        7: "NATURAL_DISASTER_FLOOD;TAX_FNCACT;TAX_FNCACT_MAYOR;WB_137_WATER;",
        8: "WB_137_WATER,10;NATURAL_DISASTER_FLOOD,20;NATURAL_DISASTER_FLOOD,90;TAX_FNCACT_MAYOR,30;TAX_FNCACT,30;",
        9: f"{COUNTRY_V1};{PLACE_V1}",
        10: f"{COUNTRY_V2};{PLACE_V2};{COUNTRY_V2}",
        11: "rosa quint;tom hale",
        12: "Tom Hale,5;Rosa Quint,9;Tom Hale,70",
        13: "river board",
        14: "River Board,15",
        15: "-2.5,1.25,3.75,5,20.5,0.5,240",
        17: "wc:240,c12.1:15",
        26: extras + (f"<PAGE_TITLE>{title}</PAGE_TITLE>" if title is not None else ""),
    }
    return "\t".join(cells.get(column, "") for column in range(27))


def event_row() -> str:
    """Return an event: a protest in Paris."""
    actor = ["FRA", "FRANCE", "FRA", "", "", "", "", "LAB", "", ""]
    place = ["4", "Paris, France (General), France", "FR", "FR00", "16282", "48.8667", "2.33333", "-1456928"]
    cells = ["1204567890", "20260301", "202603", "2026", "2026.1644", *actor, *[""] * 10]
    cells += ["1", "141", "141", "14", "3", "-6.5", "4", "1", "4", "-3.25"]
    cells += [*place, *["0", "", "", "", "", "", "", ""], *place, "20260301121500", "https://herald.example/1"]
    return "\t".join(cells)


def mention_row() -> str:
    """Return a mention of that event."""
    cells = ["1204567890", "20260301121500", "20260301123000", "1", "herald.example", "https://herald.example/1"]
    return "\t".join([*cells, "2", "-1", "311", "345", "1", "70", "2140", "-3.25", "srclc:fra;eng:GT-FRA 1.0", ""])
