#!/usr/bin/env bash
# After provisioning: make the key that webhooks are signed with, unless it is there.
# A new key would silence every subscriber, so nothing here ever replaces one.
set -euo pipefail

vault_id="${MESH_VAULT_ID:?run by azd after provisioning, or export the outputs of infra/main.bicep}"
secret="${MESH_SIGNING_KEY_NAME:?}"
here="$(cd "$(dirname "$0")" && pwd)"

found="$(az rest --method get --url "https://management.azure.com${vault_id}/secrets?api-version=2024-11-01" \
    --query "value[?name=='${secret}'].name" --output tsv)"
if [ -n "$found" ]; then
    echo "The signing key is there."
    exit 0
fi

group="$(cut -d/ -f5 <<<"$vault_id")"
subscription="$(cut -d/ -f3 <<<"$vault_id")"
# By file descriptor, so that the key is in no argument list, history or file.
az deployment group create --only-show-errors --output none \
    --subscription "$subscription" --resource-group "$group" --name signing-key \
    --template-file "$here/../signing-key.bicep" \
    --parameters vaultName="${vault_id##*/}" secretName="$secret" \
    --parameters @<(printf '{"value": {"value": "%s"}}' "$(openssl rand -base64 32)")
echo "The signing key is made. The app reads it when it starts next: azd deploys the code after this."
