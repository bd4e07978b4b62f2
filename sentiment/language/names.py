"""The languages that can be told apart, by their codes in ISO 639 (or Wikipedia's, where that has none), with names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sentiment.errors import InvalidInput

_NAMES: Final = """
af Afrikaans; als Alemannic; am Amharic; an Aragonese; ar Arabic; arz Egyptian Arabic; as Assamese; ast Asturian;
av Avar; az Azerbaijani; azb South Azerbaijani; ba Bashkir; bar Bavarian; bcl Central Bikol; be Belarusian;
bg Bulgarian; bh Bihari; bn Bengali; bo Tibetan; bpy Bishnupriya; br Breton; bs Bosnian; bxr Buryat; ca Catalan;
cbk Chavacano; ce Chechen; ceb Cebuano; ckb Central Kurdish; co Corsican; cs Czech; cv Chuvash; cy Welsh; da Danish;
de German; diq Zazaki; dsb Lower Sorbian; dty Doteli; dv Divehi; el Greek; eml Emilian-Romagnol; en English;
eo Esperanto; es Spanish; et Estonian; eu Basque; fa Persian; fi Finnish; fr French; frr North Frisian;
fy West Frisian; ga Irish; gd Scottish Gaelic; gl Galician; gn Guarani; gom Konkani; gu Gujarati; gv Manx; he Hebrew;
hi Hindi; hif Fiji Hindi; hr Croatian; hsb Upper Sorbian; ht Haitian Creole; hu Hungarian; hy Armenian; ia Interlingua;
id Indonesian; ie Interlingue; ilo Ilocano; io Ido; is Icelandic; it Italian; ja Japanese; jbo Lojban; jv Javanese;
ka Georgian; kk Kazakh; km Khmer; kn Kannada; ko Korean; krc Karachay-Balkar; ku Kurdish; kv Komi; kw Cornish;
ky Kyrgyz; la Latin; lb Luxembourgish; lez Lezgian; li Limburgish; lmo Lombard; lo Lao; lrc Northern Luri;
lt Lithuanian; lv Latvian; mai Maithili; mg Malagasy; mhr Meadow Mari; min Minangkabau; mk Macedonian; ml Malayalam;
mn Mongolian; mr Marathi; mrj Hill Mari; ms Malay; mt Maltese; mwl Mirandese; my Burmese; myv Erzya; mzn Mazanderani;
nah Nahuatl; nap Neapolitan; nds Low German; ne Nepali; new Newar; nl Dutch; nn Norwegian Nynorsk; no Norwegian;
oc Occitan; or Odia; os Ossetian; pa Punjabi; pam Kapampangan; pfl Palatine German; pl Polish; pms Piedmontese;
pnb Western Punjabi; ps Pashto; pt Portuguese; qu Quechua; rm Romansh; ro Romanian; ru Russian; rue Rusyn; sa Sanskrit;
sah Yakut; sc Sardinian; scn Sicilian; sco Scots; sd Sindhi; sh Serbo-Croatian; si Sinhala; sk Slovak; sl Slovenian;
so Somali; sq Albanian; sr Serbian; su Sundanese; sv Swedish; sw Swahili; ta Tamil; te Telugu; tg Tajik; th Thai;
tk Turkmen; tl Tagalog; tr Turkish; tt Tatar; tyv Tuvan; ug Uyghur; uk Ukrainian; ur Urdu; uz Uzbek; vec Venetian;
vep Veps; vi Vietnamese; vls West Flemish; vo Volapük; wa Walloon; war Waray; wuu Wu Chinese; xal Kalmyk;
xmf Mingrelian; yi Yiddish; yo Yoruba; yue Cantonese; zh Chinese
"""

#: English names by code: what the identifier tells apart, and what a version's manifest may name.
LANGUAGES: Final[dict[str, str]] = {
    code: name for entry in _NAMES.replace("\n", " ").split(";") for code, _, name in (entry.strip().partition(" "),)
}


def name_of(code: str) -> str:
    """Return a language's English name; a code that is not known stands for itself."""
    return LANGUAGES.get(code, code)


def unsupported_words(language: str | None) -> str:
    """Say for people what an unsupported text is: one in a language by this code, or in none that could be told."""
    seems = f" It seems to be in {name_of(language)}." if language else ""
    return f"The model cannot read this text: its language, or most of its words, are unknown to it.{seems}"


def languages_problem(codes: Sequence[str]) -> str | None:
    """Say what is wrong with the languages of a version: the first code that is unknown, or that is there twice."""
    for place, code in enumerate(codes):
        if code not in LANGUAGES:
            return f"language {code!r} is unknown; give codes of ISO 639 such as en, de, fr, zh"
        if code in codes[:place]:
            return f"language {code!r} is named twice"
    return None


def parse_languages(text: str) -> tuple[str, ...]:
    """Read codes that are separated by commas, in upper or lower case; `any` alone stands for none in particular.

    Raises:
        InvalidInput: naming the code that is unknown, or that is there twice.
    """
    codes = tuple(code.strip().lower() for code in text.split(","))
    if codes == ("any",):
        return ()
    if problem := languages_problem(codes):
        raise InvalidInput(f"{problem}; or `any`", "languages")
    return codes
