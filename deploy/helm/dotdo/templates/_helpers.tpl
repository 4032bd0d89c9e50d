{{- define "dotdo.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 56 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 56 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 56 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "dotdo.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "dotdo.labels" -}}
{{ include "dotdo.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{- define "dotdo.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "dotdo.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "dotdo.image" -}}
{{- $image := required "image.repository is empty: name the image with your program, such as registry.example.com/team/objects" .Values.image.repository -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $image .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* The deadline in whole seconds, rounded up. */}}
{{- define "dotdo.deadlineSeconds" -}}
{{- div (add (int .Values.shutdown.deadlineMs) 999) 1000 -}}
{{- end -}}

{{/* The grace period: the pause, the deadline and a margin. */}}
{{- define "dotdo.graceSeconds" -}}
{{- add (int .Values.shutdown.drainSeconds) (include "dotdo.deadlineSeconds" . | int) (int .Values.shutdown.marginSeconds) -}}
{{- end -}}

{{/* The ports of a pod: its own, and its mesh proxy's. */}}
{{- define "dotdo.reached" -}}
- {protocol: TCP, port: {{ .Values.port }}}
{{- if .Values.linkerd.enabled }}
- {protocol: TCP, port: 4143}
{{- end }}
{{- end -}}

{{- define "dotdo.check" -}}
{{- if not .Values.storage -}}
{{- fail "storage is empty: say where the state is kept, such as s3://my-bucket/state" -}}
{{- end -}}
{{- if and (eq .Values.forwarding "proxy") (not .Values.peerSecret.existingSecret) -}}
{{- fail "peerSecret.existingSecret is empty: make a Secret with `kubectl create secret generic dotdo-peers --from-literal=peer-secret=$(openssl rand -hex 32)` and name it, or set forwarding: off, with which a replica answers 503 for objects of another" -}}
{{- end -}}
{{- if and (eq .Values.identity.kind "irsa") (not .Values.identity.roleArn) -}}
{{- fail "identity.roleArn is empty: identity.kind irsa needs the role that the pods take on" -}}
{{- end -}}
{{- if and (eq .Values.identity.kind "azure") (not .Values.identity.azureClientId) -}}
{{- fail "identity.azureClientId is empty: identity.kind azure needs the managed identity's client id" -}}
{{- end -}}
{{- if and (ne .Values.identity.kind "none") (not .Values.serviceAccount.create) (or .Values.identity.roleArn .Values.identity.googleServiceAccount .Values.identity.azureClientId) -}}
{{- fail "serviceAccount.create is false, so the chart can't write the identity's annotation: put it on your service account and leave roleArn, googleServiceAccount and azureClientId empty with identity.kind none" -}}
{{- end -}}
{{- if gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas) -}}
{{- fail (printf "autoscaling.minReplicas is %d; it can't be more than autoscaling.maxReplicas, which is %d" (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled .Values.auth.existingSecret (not .Values.serviceMonitor.token.secret) (not (hasKey .Values.settings "DOTDO_AUTH_SKIP_PATHS")) -}}
{{- fail "serviceMonitor.token.secret is empty: requests need a token, also Prometheus' ones; name a Secret with one, or the path /metrics in settings.DOTDO_AUTH_SKIP_PATHS" -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- fail "ingress.hosts is empty: name the hosts that clients use" -}}
{{- end -}}
{{- end -}}
