"""What a request asks about: the product in its path, and the parameters of its query."""

import azure.functions as func

from mesh.errors import Rejected
from mesh.model.names import ProductId


def product_of(req: func.HttpRequest) -> ProductId:
    """The product that `{domain}/{product}` of the route names."""
    return ProductId(domain=req.route_params["domain"], product=req.route_params["product"])


def number(req: func.HttpRequest, name: str, default: int, *, lowest: int = 0, highest: int) -> int:
    """A whole number within bounds.

    Raises:
        Rejected: it is none.
    """
    text = req.params.get(name, str(default))
    is_number = len(text) <= 20 and text.isascii() and text.isdigit()
    if not (is_number and lowest <= int(text) <= highest):
        message = f"{name} is {text[:40]!r}; it may be a number from {lowest} to {highest}."
        raise Rejected(message, problem="invalid-query")
    return int(text)


def flag(req: func.HttpRequest, name: str) -> bool:
    """True or false; false when it is not given.

    Raises:
        Rejected: it is neither.
    """
    text: str = req.params.get(name, "false")
    if text not in {"true", "false"}:
        message = f"{name} is {text[:40]!r}; it may be true or false."
        raise Rejected(message, problem="invalid-query")
    return text == "true"
