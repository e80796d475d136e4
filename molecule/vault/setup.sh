#!/bin/bash
# Set Vault up on this machine at address $1; print the signing request of its authority.
set -euo pipefail
umask 077
mkdir -p /etc/vault /var/lib/vault
cd /etc/vault
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout tls.key -out tls.crt -days 1 \
  -subj /CN=vault -addext "subjectAltName=IP:$1" 2>/dev/null
cat >settings.json <<END
{"storage": {"file": {"path": "/var/lib/vault"}}, "disable_mlock": true,
 "listener": {"tcp": {"address": "$1:8200", "tls_cert_file": "/etc/vault/tls.crt", "tls_key_file": "/etc/vault/tls.key"}}}
END
cat >/etc/systemd/system/vault.service <<END
[Service]
ExecStart=/usr/local/bin/vault server -config /etc/vault/settings.json
END
cat >environment <<END
export VAULT_ADDR=https://$1:8200 VAULT_CACERT=/etc/vault/tls.crt VAULT_TOKEN=
END
cat >unseal <<'END'
#!/bin/bash
# Unsealed, and in use.
set -uo pipefail
. /etc/vault/environment
for _ in {1..50}; do
  vault operator unseal "$(cat /etc/vault/key)" >/dev/null 2>&1
  vault token lookup >/dev/null 2>&1 && exit 0
  sleep 0.2
done
exit 1
END
chmod 700 unseal
systemctl daemon-reload
systemctl start vault
. /etc/vault/environment
for _ in {1..50}; do
  made=$(vault operator init -key-shares=1 -key-threshold=1 2>/dev/null) && break
  sleep 0.2
done
awk '/Unseal Key 1:/ {print $NF}' <<<"$made" >key
echo "export VAULT_TOKEN=$(awk '/Initial Root Token:/ {print $NF}' <<<"$made")" >>environment
./unseal
. /etc/vault/environment
{
  vault policy write machine - <<<'path "pki/sign/*" { capabilities = ["update"] }'
  vault policy write controller - <<'END'
path "auth/approle/role/legacy-batch/role-id" { capabilities = ["read"] }
path "auth/approle/role/legacy-batch/secret-id" { capabilities = ["update"]  min_wrapping_ttl = "1s"  max_wrapping_ttl = "300s" }
END
  vault token create -id=lab-controller -policy=controller -no-default-policy
  vault secrets enable -max-lease-ttl=24h pki
  for workload in batch/legacy-batch payments/payments-db; do
    name=${workload#*/}
    vault write "pki/roles/$name" allowed_uri_sans="spiffe://cluster.local/ns/${workload%/*}/sa/$name" \
      require_cn=false key_type=ec key_bits=256 max_ttl=1h
  done
  vault auth enable approle
  vault write auth/approle/role/legacy-batch token_policies=machine token_period=1h
  openssl genrsa -out jwt.key 2048
  openssl rsa -in jwt.key -pubout -out jwt.pub
  vault auth enable jwt
  vault write auth/jwt/config jwt_validation_pubkeys=@jwt.pub
  vault write auth/jwt/role/payments-db role_type=jwt user_claim=sub bound_audiences=vault bound_subject=payments-db-1 \
    token_policies=machine token_ttl=1m
} >&2
base64url() { openssl base64 -A | tr '+/' '-_' | tr -d =; }
now=$(date +%s)
claims="{\"sub\": \"payments-db-1\", \"aud\": \"vault\", \"iat\": $now, \"nbf\": $now, \"exp\": $((now + 3600))}"
signed=$(printf '{"alg": "RS256", "typ": "JWT"}' | base64url).$(printf '%s' "$claims" | base64url)
echo "$signed.$(printf '%s' "$signed" | openssl dgst -sha256 -sign jwt.key -binary | base64url)" >machine.jwt
vault write -field=csr pki/intermediate/generate/internal common_name=machines
