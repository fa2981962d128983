{{/*
What is refused before anything is installed, one sentence each: combinations that would start and then lose entries,
share one bucket among all visitors, or be cut in the middle of a drain. Each has a test in tests/chart/refusals.py.
*/}}
{{- define "watchparty.validate" -}}
{{- include "watchparty.validate.backend" . }}
{{- include "watchparty.validate.life" . }}
{{- include "watchparty.validate.scale" . }}
{{- include "watchparty.validate.ways" . }}
{{- include "watchparty.validate.secrets" . }}
{{- include "watchparty.validate.watching" . }}
{{- end }}

{{- define "watchparty.validate.backend" -}}
{{- $redis := include "watchparty.hasRedis" . -}}
{{- if and (gt (int .Values.replicaCount) 1) (not $redis) }}
{{- fail "replicaCount above 1 needs Redis (redis.url, redis.existingSecret or redis.demo.enabled): nodes on memory are separate worlds." }}
{{- end }}
{{- if and .Values.autoscaling.enabled (not $redis) }}
{{- fail "autoscaling.enabled needs Redis (redis.url, redis.existingSecret or redis.demo.enabled): nodes on memory are separate worlds." }}
{{- end }}
{{- if and .Values.redis.demo.enabled (or .Values.redis.url .Values.redis.existingSecret) }}
{{- fail "redis.demo.enabled and redis.url or redis.existingSecret name two different Redis: keep one." }}
{{- end }}
{{- if contains "@" .Values.redis.url }}
{{- fail "redis.url must hold no user or password: put the whole address into a Secret under REDIS_URL and name it in redis.existingSecret." }}
{{- end }}
{{- if and .Values.redis.caSecret (not (hasPrefix "rediss" .Values.redis.url)) (not .Values.redis.existingSecret) }}
{{- fail "redis.caSecret needs TLS: redis.url must start with rediss." }}
{{- end }}
{{- if and .Values.redis.caSecret .Values.redis.url (not (hasPrefix "rediss" .Values.redis.url)) }}
{{- fail "redis.caSecret needs TLS: redis.url must start with rediss." }}
{{- end }}
{{- $durability := include "watchparty.text" .Values.config.DURABILITY | default "auto" }}
{{- if and (not (has $durability (list "auto" "memory"))) (not $redis) }}
{{- fail (printf "config.DURABILITY %s needs Redis: memory alone cannot keep that promise." $durability) }}
{{- end }}
{{- end }}

{{- define "watchparty.validate.life" -}}
{{- $least := add (include "watchparty.drain" . | int64) 10 -}}
{{- if lt (include "watchparty.grace" . | int64) $least }}
{{- fail (printf "terminationGracePeriodSeconds must be at least %d (DRAIN_DELAY + DRAIN_WINDOW + 10 s): the kubelet would kill the drain half-way." $least) }}
{{- end }}
{{- if has (regexReplaceAll ":[0-9]+$" (include "watchparty.text" .Values.config.ADMIN_ADDR) "") (list "127.0.0.1" "[::1]") }}
{{- fail "config.ADMIN_ADDR on loopback is out of the kubelet's reach: use 0.0.0.0 or [::], or leave it empty." }}
{{- end }}
{{- if eq (include "watchparty.adminPort" .) (toString (int64 .Values.ports.http)) }}
{{- fail "config.ADMIN_ADDR and ports.http name the same port." }}
{{- end }}
{{- $limit := include "watchparty.bytes" (dig "limits" "memory" "" .Values.resources) | int64 -}}
{{- $connections := include "watchparty.text" .Values.config.CONNECTIONS_MAX | default "50000" | int64 -}}
{{- $outboxes := include "watchparty.bytes" (include "watchparty.text" .Values.config.OUTBOX_BYTES_TOTAL | default "256MiB") | int64 -}}
{{- $needed := add 67108864 (mul 6144 $connections) $outboxes -}}
{{- if and (gt $limit 0) (lt $limit $needed) }}
{{- fail (printf "resources.limits.memory must be at least %dMi (64 MiB + 6 KiB x CONNECTIONS_MAX + OUTBOX_BYTES_TOTAL): the kernel would kill a full node." (div (add $needed 1048575) 1048576)) }}
{{- end }}
{{- end }}

{{- define "watchparty.validate.scale" -}}
{{- if .Values.autoscaling.enabled }}
{{- if and (not .Values.autoscaling.targetCPU) (not .Values.autoscaling.targetConnections) }}
{{- fail "autoscaling needs a metric: autoscaling.targetCPU or autoscaling.targetConnections." }}
{{- end }}
{{- if gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas) }}
{{- fail "autoscaling.minReplicas is above autoscaling.maxReplicas." }}
{{- end }}
{{- if and .Values.autoscaling.targetCPU (not (dig "requests" "cpu" "" .Values.resources)) }}
{{- fail "autoscaling.targetCPU is a percentage of resources.requests.cpu, which is not set." }}
{{- end }}
{{- end }}
{{- if and .Values.pdb.enabled (ne (include "watchparty.text" .Values.pdb.maxUnavailable) "") (ne (include "watchparty.text" .Values.pdb.minAvailable) "") }}
{{- fail "pdb.maxUnavailable and pdb.minAvailable exclude each other: set one of them to an empty string." }}
{{- end }}
{{- end }}

{{- define "watchparty.validate.ways" -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) }}
{{- fail "ingress.enabled needs ingress.hosts: without one it would catch every host of the controller." }}
{{- end }}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) }}
{{- fail "httpRoute.enabled needs httpRoute.parentRefs: a route without a gateway leads nowhere." }}
{{- end }}
{{- $proxies := include "watchparty.text" .Values.config.TRUSTED_PROXIES -}}
{{- $header := include "watchparty.text" .Values.config.CLIENT_IP_HEADER -}}
{{- if and $header (not $proxies) }}
{{- fail "config.CLIENT_IP_HEADER needs config.TRUSTED_PROXIES: else it is ignored, and all visitors share one address and one bucket." }}
{{- end }}
{{- if .Values.cloudflared.enabled }}
{{- if not .Values.cloudflared.existingSecret }}
{{- fail "cloudflared.enabled needs cloudflared.existingSecret, a Secret with the tunnel's token under `token`." }}
{{- end }}
{{- if or (not $proxies) (ne $header "cf-connecting-ip") }}
{{- fail "cloudflared.enabled needs config.TRUSTED_PROXIES (the network of its pods) and config.CLIENT_IP_HEADER cf-connecting-ip: else all visitors share one address and one bucket." }}
{{- end }}
{{- end }}
{{- $origins := include "watchparty.text" .Values.config.ALLOWED_ORIGINS | replace " " "" | splitList "," -}}
{{- if and (has "*" $origins) (ne (include "watchparty.text" .Values.config.ENVIRONMENT) "development") }}
{{- fail "config.ALLOWED_ORIGINS must name origins: * is for development." }}
{{- end }}
{{- end }}

{{- define "watchparty.validate.secrets" -}}
{{- if and .Values.auth.existingSecret .Values.auth.inline }}
{{- fail "auth.existingSecret and auth.inline exclude each other: the chart writes to no Secret that is not its own." }}
{{- end }}
{{- $secrets := list "JWT_SECRET" "JWT_SECRET_PREVIOUS" "SERVER_API_KEYS" "REDIS_URL" "REDIS_PASSWORD" "REDIS_SENTINEL_PASSWORD" "TURN_SECRET" -}}
{{- range .Values.extraEnv }}
{{- if and (has .name $secrets) (not .valueFrom) }}
{{- fail (printf "extraEnv: %s is a secret and must not be a plain value: use auth or redis, or valueFrom." .name) }}
{{- end }}
{{- if or (hasKey $.Values.config .name) (eq .name "PORT") }}
{{- fail (printf "extraEnv: %s has a value of its own (config, or ports.http)." .name) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "watchparty.validate.watching" -}}
{{- if and (or .Values.serviceMonitor.enabled .Values.podMonitor.enabled) (not (include "watchparty.adminPort" .)) }}
{{- fail "serviceMonitor and podMonitor scrape the admin port: set config.ADMIN_ADDR." }}
{{- end }}
{{- if and .Values.serviceMonitor.enabled .Values.podMonitor.enabled }}
{{- fail "serviceMonitor and podMonitor together would count every pod twice: keep one." }}
{{- end }}
{{- end }}
