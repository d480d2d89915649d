"use strict";
// Preloaded into Azurite (`node --require`): writes down every change of a blob, one JSON line
// each, BEFORE the client gets its answer. What a client was told has happened is therefore in
// the journal, with the ETag that this very request made, even when the reader is not running,
// and even when everything is killed a moment later. Azurite itself stays as it is.
//
// The journal is a folder ($BLOB_JOURNAL) of numbered segments. A reader deletes those it has
// finished; without a reader the oldest go, so that the folder stays under 64 MB.

const fs = require("node:fs");
const path = require("node:path");
const { subscribe } = require("node:diagnostics_channel");

const FOLDER = process.env.BLOB_JOURNAL;
const SEGMENT_BYTES = Number(process.env.BLOB_JOURNAL_SEGMENT_BYTES ?? 4 * 1024 * 1024);
const SEGMENTS_KEPT = 16;
const CHANGING_METHODS = new Set(["PUT", "DELETE", "POST"]);
const REQUEST_HEADERS = [
  "content-length",
  "content-type",
  "x-ms-blob-content-length",
  "x-ms-blob-content-type",
  "x-ms-blob-type",
  "x-ms-client-request-id",
  "x-ms-copy-source",
  "x-ms-delete-snapshots",
];

const segment = { number: 0, file: undefined, bytes: 0 };
let lastSequence = 0;

function existingSegments() {
  return fs
    .readdirSync(FOLDER)
    .filter((name) => /^\d{10}\.jsonl$/.test(name))
    .sort();
}

// A new process starts a new segment: the last line of the old one may be torn. Numbers are times,
// so that a reader's position stays behind them even when the folder was deleted in between.
function openNextSegment() {
  const existing = existingSegments();
  for (const name of existing.slice(0, Math.max(0, existing.length - SEGMENTS_KEPT + 1))) {
    fs.rmSync(path.join(FOLDER, name), { force: true });
  }
  const newest = existing.length ? parseInt(existing[existing.length - 1], 10) : 0;
  segment.number = Math.max(segment.number + 1, newest + 1, Math.floor(Date.now() / 1000));
  if (segment.file !== undefined) fs.closeSync(segment.file);
  const name = `${String(segment.number).padStart(10, "0")}.jsonl`;
  segment.file = fs.openSync(path.join(FOLDER, name), "a");
  segment.bytes = 0;
}

// Microseconds since 1970, strictly increasing within a process.
function nextSequence() {
  lastSequence = Math.max(lastSequence + 1, Date.now() * 1000);
  return lastSequence;
}

function changesABlob(request, response) {
  if (!CHANGING_METHODS.has(request.method)) return false;
  if (response.statusCode < 200 || response.statusCode > 299) return false;
  return String(response.getHeader("server")).startsWith("Azurite-Blob/");
}

function record(request, response) {
  const headers = {};
  for (const name of REQUEST_HEADERS) {
    if (request.headers[name] !== undefined) headers[name] = request.headers[name];
  }
  const line = Buffer.from(
    `${JSON.stringify({
      sequence: nextSequence(),
      method: request.method,
      url: request.originalUrl ?? request.url,
      status: response.statusCode,
      etag: response.getHeader("etag"),
      requestId: response.getHeader("x-ms-request-id"),
      headers,
    })}\n`,
  );
  if (segment.bytes + line.length > SEGMENT_BYTES) openNextSegment();
  fs.writeSync(segment.file, line);
  segment.bytes += line.length;
}

fs.mkdirSync(FOLDER, { recursive: true });
openNextSegment();
subscribe("http.server.request.start", ({ request, response }) => {
  const { end } = response;
  let recorded = false;
  response.end = function endAfterRecording(...args) {
    if (!recorded && changesABlob(request, response)) {
      recorded = true;
      record(request, response);
    }
    return end.apply(this, args);
  };
});
