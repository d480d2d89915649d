"""Blob events: what happens to the blobs of a storage account, told to an Event Grid."""

from local.blob_events.interest import Interest, interest_of
from local.blob_events.source import BlobEvents

__all__ = ["BlobEvents", "Interest", "interest_of"]
