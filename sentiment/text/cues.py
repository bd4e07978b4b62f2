"""Words and signs that a phone number stands behind, in some thirty languages, as alternatives of a pattern."""

from __future__ import annotations

from typing import Final

_EUROPEAN: Final = (
    r"tel|telef[^\W\d_]*|telephone|t[eé]l(?:[eé]phone)?|phone|fon|fone|mob|mobile?|mobil[^\W\d_]*|m[oó]vil|"
    r"handy[^\W\d_]*|cell?|celular|cellulare|fax|whats ?app|wa|zap|call|text|dial|ring|sms|hotline|helpline|"
    r"viber|portable|ll[aá]ma[^\W\d_]*|appel[^\W\d_]*|ruf|rufe?n?|anrufen|durchwahl|chiama[^\W\d_]*|ligue|bel|"
    r"tlf|tfn|tfno|tlm|telemóvel|puh|puhelin|(?-i:hp|HP[.:])|telp|hubungi|zalo|sđt|đt|đi\u1ec7n tho\u1ea1i|"
    r"n[uú]mero es"
)
_MY_NUMBER: Final = (
    r"(?:my|our|his|her|their|mi|meine?|mon|notre|meu|il mio|mijn|min|mitt|m[oó]j) (?:new )?"
    r"(?:number|nummer|num[eé]ro|n[uú]mero|numer|nr|no|digits)"
)
#: Russian, Arabic, Persian, Hebrew, Hindi.
_OTHERS: Final = (
    r"\u043c\u043e\u0439 \u043d\u043e\u043c\u0435\u0440|\u0442\u0435\u043b[^\W\d_]*|"
    r"\u0437\u0432\u043e\u043d[^\W\d_]*|\u043c\u043e\u0431[^\W\d_]*|\u0432[\u0430\u043e]\u0442\u0441[^\W\d_]*|"
    r"[\u0648\u0628\u0644]?(?:\u0627\u0644)?(?:\u0647\u0627\u062a\u0641|\u062c\u0648\u0627\u0644|"
    r"\u0645\u0648\u0628\u0627\u064a\u0644|\u0645\u062d\u0645\u0648\u0644|"
    r"\u062a\u0644\u064a?\u0641\u0648\u0646)(?:\u064a|\u0647|\u0643|\u0646\u0627|\u0643\u0645)?|"
    r"\u062a\u0644\u0641\u0646|\u0645\u0648\u0628\u0627\u06cc\u0644|"
    r"[\u05d1\u05d4\u05dc]?(?:\u05d8\u05dc\u05e4\u05d5\u05df|\u05e0\u05d9\u05d9\u05d3|\u05e4\u05dc\u05d0\u05e4\u05d5\u05df)|"
    r"\u092b\u093c?\u094b\u0928|\u092e\u094b\u092c\u093e\u0907\u0932|"
    r"\u092e\u0947\u0930\u093e \u0928\u0902\u092c\u0930"
)
#: Words that stand alone.
CUES: Final = f"{_EUROPEAN}|{_MY_NUMBER}|{_OTHERS}"
#: Pictures, and words of scripts that write no spaces: Chinese, Japanese, Thai, Korean.
SIGNS: Final = (
    r"(?:[\u260e\u2706\U0001f4de\U0001f4f1\U0001f4f2\U0001f4df]\ufe0f?|"
    r"\u7535\u8bdd|\u96fb\u8a71|\u624b\u673a|\u624b\u6a5f|\u643a\u5e2f|"
    r"\u0e42\u0e17\u0e23(?:\u0e28\u0e31\u0e1e\u0e17\u0e4c)?|\uc804\ud654|\ud734\ub300\ud3f0|\ud578\ub4dc\ud3f0|\uc5f0\ub77d\ucc98)"
    r"(?:\u53f7\u7801?|\u865f\u78bc?|\u756a\u53f7|\ubc88\ud638|[\ub294\uc740\u662f\u4e3a\u306f\u306b\u3078])*"
)
#: What may stand between a cue and its number.
SMALL_WORDS: Final = (
    r"(?:me|us|him|her|number|no|nr|is|ist|es|est|at|on|now|under|unter|us|mich|uns|an|au|al|le|il|numero|num[eé]ro|"
    r"n[uú]mero|today|:)"
)
