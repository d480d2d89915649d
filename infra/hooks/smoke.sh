#!/usr/bin/env bash
# Is the deployed mesh alive? Onboard a product of the reference mesh, drop a good and a bad file,
# and expect the right verdicts. Needs the outputs of infra/main.bicep in the environment, the
# command `mesh`, and an identity that may write to the
# landing container and has the app role geography.producer.
# Drops of the same file are idempotent, so this may run after every deployment.
set -euo pipefail
cd "$(dirname "$0")/../.."

export MESH_URL="${MESH_API:?}/api"
export STORAGE__accountName="${MESH_STORAGE_ACCOUNT:?}"
export MESH_SCOPE="${MESH_SCOPE:?no app registration yet: see docs/deployment.md, "Who may call the API"}"

# A new app takes a while to start, and new roles take minutes to act.
curl --silent --show-error --fail --output /dev/null --retry 30 --retry-delay 10 --retry-all-errors "$MESH_URL/health"
mesh onboard examples/geography/regions --timeout 600

drop() { mesh drop "$1" --to geography/regions --wait --timeout 900; }
drop examples/geography/regions/good/regions.csv
if drop examples/geography/regions/bad/too-few-cells.csv; then
    echo "error: a bad file was accepted" >&2
    exit 1
fi
echo "The mesh is alive."
