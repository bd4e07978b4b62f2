"""Documents of the text store that controller and gateways share: the registered versions and the fixed split."""

from __future__ import annotations

from typing import Any, Final

from sentiment.store import TextStore

#: The kind of the document that lists the versions of a registered model; its name is the model's.
MODELS_KIND: Final = "models"
#: The kind of the document that holds the fixed split of a registered model's traffic.
SPLIT_KIND: Final = "split"


def read_listing(store: TextStore, model: str) -> list[dict[str, Any]]:
    """Return the versions of a registered model, oldest first, as the controller last saw them."""
    document = store.get_document(MODELS_KIND, model)
    return list(document.body["models"]) if document else []
