{{/*
Names, labels, and the few sums the chart does with settings: seconds, bytes, ports, whether there is a Redis.
What is refused stands in _validate.tpl.
*/}}

{{- define "watchparty.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* At most 45 characters, so that the longest suffix still fits a Service's 63. */}}
{{- define "watchparty.fullname" -}}
{{- $name := include "watchparty.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 45 | trimSuffix "-" }}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 45 | trimSuffix "-" }}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 45 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* What selects pods; it can never change, so no version in it. Takes (list . component). */}}
{{- define "watchparty.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "watchparty.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "watchparty.labels" -}}
{{- $root := index . 0 -}}
{{ include "watchparty.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: watchparty
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "watchparty.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{- define "watchparty.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "watchparty.fullname" .) .Values.serviceAccount.name }}
{{- else -}}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* A setting as the gateway reads it. Numbers of a values file are floating point: 1000000 would become 1e+06. */}}
{{- define "watchparty.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) -}}
{{- int64 . }}
{{- else if kindIs "invalid" . -}}
{{- else -}}
{{- toString . }}
{{- end }}
{{- end }}

{{/* Whole seconds, rounded up, of `20`, `20s`, `500ms`, `1m`, `1h`. */}}
{{- define "watchparty.seconds" -}}
{{- $text := include "watchparty.text" . -}}
{{- $count := regexFind "^[0-9]+" $text | int64 -}}
{{- $unit := regexReplaceAll "^[0-9]+ *" $text "" -}}
{{- if eq $unit "ms" -}}
{{- div (add $count 999) 1000 }}
{{- else if eq $unit "m" -}}
{{- mul $count 60 }}
{{- else if eq $unit "h" -}}
{{- mul $count 3600 }}
{{- else -}}
{{- $count }}
{{- end }}
{{- end }}

{{/* Bytes of a setting (`KiB`, `MiB`) or of a Kubernetes quantity; 0 for what it does not know. */}}
{{- define "watchparty.bytes" -}}
{{- $text := include "watchparty.text" . -}}
{{- $count := regexFind "^[0-9]+" $text | int64 -}}
{{- $unit := regexReplaceAll "^[0-9]+ *" $text "" -}}
{{- $factors := dict "" 1 "Ki" 1024 "KiB" 1024 "Mi" 1048576 "MiB" 1048576 "Gi" 1073741824 "k" 1000 "M" 1000000 "G" 1000000000 -}}
{{- mul $count (default 0 (get $factors $unit)) }}
{{- end }}

{{/* The drain as the gateway will see it: what is set, else its own default for that environment. */}}
{{- define "watchparty.drain" -}}
{{- $development := eq (include "watchparty.text" .Values.config.ENVIRONMENT) "development" -}}
{{- $delay := include "watchparty.text" .Values.config.DRAIN_DELAY | default (ternary "0" "5" $development) -}}
{{- $window := include "watchparty.text" .Values.config.DRAIN_WINDOW | default (ternary "1" "20" $development) -}}
{{- add (include "watchparty.seconds" $delay | int64) (include "watchparty.seconds" $window | int64) }}
{{- end }}

{{/* 5 s for stragglers are the gateway's own constant; 5 s more for the process to end. */}}
{{- define "watchparty.grace" -}}
{{- if kindIs "invalid" .Values.terminationGracePeriodSeconds -}}
{{- add (include "watchparty.drain" . | int64) 10 }}
{{- else -}}
{{- int64 .Values.terminationGracePeriodSeconds }}
{{- end }}
{{- end }}

{{- define "watchparty.adminPort" -}}
{{- regexFind "[0-9]+$" (include "watchparty.text" .Values.config.ADMIN_ADDR) }}
{{- end }}

{{/* "yes" or nothing. */}}
{{- define "watchparty.hasRedis" -}}
{{- if or .Values.redis.url .Values.redis.existingSecret .Values.redis.demo.enabled }}yes{{ end }}
{{- end }}

{{- define "watchparty.hasMany" -}}
{{- if or .Values.autoscaling.enabled (gt (int .Values.replicaCount) 1) }}yes{{ end }}
{{- end }}

{{/* The address without a secret in it; empty when a Secret has the whole of it. */}}
{{- define "watchparty.redisUrl" -}}
{{- if .Values.redis.demo.enabled -}}
{{- printf "redis://%s-redis:6379" (include "watchparty.fullname" .) }}
{{- else -}}
{{- .Values.redis.url }}
{{- end }}
{{- end }}

{{/* Ports of Redis, one a line: those of the address, and, where sentinels say where the servers are, those of the servers. */}}
{{- define "watchparty.redisPorts" -}}
{{- $url := include "watchparty.redisUrl" . -}}
{{- $sentinel := contains "+sentinel://" $url -}}
{{- $hosts := regexReplaceAll "^[a-z+-]+://([^/]*).*$" $url "${1}" -}}
{{- $ports := list -}}
{{- range compact (splitList "," $hosts) }}
{{- $port := regexFind ":[0-9]+$" . | trimPrefix ":" -}}
{{- $ports = append $ports (default (ternary "26379" "6379" $sentinel) $port) }}
{{- end }}
{{- if or $sentinel (not $ports) }}
{{- $ports = append $ports (int64 .Values.networkPolicy.redisPort | toString) }}
{{- end }}
{{- join "\n" (uniq $ports) }}
{{- end }}

{{- define "watchparty.authSecret" -}}
{{- default (include "watchparty.fullname" .) .Values.auth.existingSecret }}
{{- end }}

{{/* One variable from a Secret. Takes (list secret key optional). */}}
{{- define "watchparty.fromSecret" -}}
- name: {{ index . 1 }}
  valueFrom:
    secretKeyRef:
      name: {{ index . 0 }}
      key: {{ index . 1 }}
      {{- if index . 2 }}
      optional: true
      {{- end }}
{{- end }}
