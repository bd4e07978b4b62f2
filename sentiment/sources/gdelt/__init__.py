"""GDELT 2.1: the news of the world in quarter-hours, as tables, and articles found by its DOC 2.0 service.

`events` and `gkg` are the rows of its tables, `topics` what an article is about; `quarters`, `site` and `archive` find,
fetch and check the files; `source` makes texts of them. `doc` asks DOC 2.0, whose lists of articles are `doc_source`.
"""

from __future__ import annotations
