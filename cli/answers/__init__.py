"""The answers of the HTTP API as the command reads them; `schemas/openapi.json` describes them."""
