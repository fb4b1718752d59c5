"use strict";

const KEY = "Idempotency-Key";

/** A random UUID. randomUUID exists only on localhost and over https, getRandomValues everywhere. */
function newKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** The document with a key filled in wherever one must be sent. */
function withKeys(spec) {
  for (const item of Object.values(spec.paths)) {
    for (const operation of Object.values(item)) {
      for (const parameter of operation.parameters || []) {
        if (parameter.name === KEY && parameter.required) parameter.example = newKey();
      }
    }
  }
  return spec;
}

/** Puts another key into the field once a request was sent with the one that was in it. */
function renewKey(system, path, method) {
  const spec = system.specSelectors.specJsonWithResolvedSubtrees();
  const parameters = spec.getIn(["paths", path, method, "parameters"]) || [];
  const key = parameters.find((parameter) => parameter.get("name") === KEY && parameter.get("required"));
  if (key) system.specActions.changeParamByIdentity([path, method], key, newKey());
}

/** Each try is a request of its own; to repeat one, paste its key, which the shown curl command has. */
function FreshKeys() {
  return {
    statePlugins: {
      spec: {
        wrapActions: {
          updateJsonSpec: (original) => (spec) => original(withKeys(spec)),
          execute: (original, system) => (request) => {
            const sent = original(request);
            renewKey(system, request.path, request.method);
            return sent;
          },
        },
      },
    },
  };
}

SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#documentation",
  deepLinking: true,
  persistAuthorization: false,
  displayRequestDuration: true,
  plugins: [FreshKeys],
  validatorUrl: null, // nothing is sent anywhere
});
