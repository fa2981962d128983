// Judges objects of kinds that Kubernetes does not know, by the schemas of @kubernetes-models: JSON list on standard
// input, findings as a JSON list on standard output.
//
// Those schemas find wrong types and missing fields, but let unknown fields pass, as the API server prunes them in
// silence. So every field name must also be one that the kind's package declares somewhere; maps with free keys are
// passed over.
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";

import { HTTPRoute } from "@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1/HTTPRoute";
import { PodMonitor } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PodMonitor";
import { PrometheusRule } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PrometheusRule";
import { ServiceMonitor } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor";

const models = { HTTPRoute, PodMonitor, PrometheusRule, ServiceMonitor };
const packages = {
  "monitoring.coreos.com/v1": "@kubernetes-models/prometheus-operator",
  "gateway.networking.k8s.io/v1": "@kubernetes-models/gateway-api",
};
const freeKeys = new Set(["labels", "annotations", "matchLabels"]);
const require = createRequire(import.meta.url);

function declaredFields(apiVersion) {
  const root = dirname(require.resolve(`${packages[apiVersion]}/package.json`));
  const folder = join(root, ...apiVersion.split("/"));
  const fields = new Set(["matchLabels", "matchExpressions"]);
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".d.ts"))) {
    for (const [, field] of readFileSync(join(folder, file), "utf8").matchAll(/^\s+"(\w+)"\??:/gm)) fields.add(field);
  }
  return fields;
}

function unknownFields(value, fields, path) {
  if (Array.isArray(value)) return value.flatMap((each, at) => unknownFields(each, fields, `${path}[${at}]`));
  if (value === null || typeof value !== "object") return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    if (!fields.has(key)) return [`${path}.${key}: no such field`];
    return freeKeys.has(key) ? [] : unknownFields(inner, fields, `${path}.${key}`);
  });
}

const declared = new Map();
const findings = JSON.parse(await text(process.stdin)).flatMap((object) => {
  const name = `${object.kind} ${object.metadata.name}`;
  const Model = models[object.kind];
  if (!Model || !packages[object.apiVersion]) return [`${name}: no schema for ${object.apiVersion}`];
  if (!declared.has(object.apiVersion)) declared.set(object.apiVersion, declaredFields(object.apiVersion));
  const found = unknownFields(object.spec, declared.get(object.apiVersion), `${name}: spec`);
  try {
    new Model(object).validate();
  } catch (error) {
    found.push(`${name}: ${error.message}`);
  }
  return found;
});
process.stdout.write(JSON.stringify(findings));
