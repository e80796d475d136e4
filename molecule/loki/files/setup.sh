#!/bin/bash
# A Loki with tenants on this machine, and before it, at https://$1:3443, TLS of a private authority and a password; prints the authority.
# The password comes by standard input as USER:PASSWORD.
set -euo pipefail
umask 077
mkdir -p /etc/loki/rules/mesh
cd /etc/loki
cat >password
for unit in loki loki-door; do
  systemctl stop "$unit" 2>/dev/null || true
done
key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
openssl req -x509 "${key[@]}" -keyout ca.key -out ca.crt -days 1 -subj '/CN=an authority of their own' 2>/dev/null
openssl req "${key[@]}" -keyout tls.key -subj /CN=loki 2>/dev/null |
  openssl x509 -req -CA ca.crt -CAkey ca.key -days 1 -out tls.crt -extfile <(echo "subjectAltName=IP:$1") 2>/dev/null
cat >loki.yml <<'END'
auth_enabled: true
analytics: {reporting_enabled: false}
server: {http_listen_address: 127.0.0.1, http_listen_port: 3100, grpc_listen_address: 127.0.0.1, grpc_listen_port: 3101, log_level: warn}
common:
  path_prefix: /var/lib/loki
  replication_factor: 1
  ring: {instance_addr: 127.0.0.1, kvstore: {store: inmemory}}
  storage: {filesystem: {chunks_directory: /var/lib/loki/chunks}}
frontend: {address: 127.0.0.1}
ingester: {lifecycler: {min_ready_duration: 0s}}
schema_config:
  configs: [{from: "2024-01-01", store: tsdb, object_store: filesystem, schema: v13, index: {prefix: index_, period: 24h}}]
ruler:
  storage: {type: local, local: {directory: /etc/loki/rules}}
  rule_path: /var/lib/loki/scratch
  evaluation_interval: 1s
  poll_interval: 1s
  enable_api: true
END
cat >/etc/systemd/system/loki.service <<'END'
[Service]
ExecStart=/usr/local/bin/loki -config.file=/etc/loki/loki.yml
StateDirectory=loki
END
cat >/etc/systemd/system/loki-door.service <<'END'
[Service]
WorkingDirectory=/etc/loki
ExecStart=/usr/bin/python3 /opt/door.py 3443
END
systemctl daemon-reload
systemctl start loki loki-door
cat ca.crt
