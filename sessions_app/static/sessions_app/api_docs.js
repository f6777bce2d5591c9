"use strict";

// Swagger UI has dark colours, and leaves it to the page when.
const dark = matchMedia("(prefers-color-scheme: dark)");
const paint = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", paint);
paint();

const { schema, csrfToken } = document.getElementById("docs").dataset;
SwaggerUIBundle({
  url: schema,
  dom_id: "#docs",
  validatorUrl: null,
  deepLinking: false,
  persistAuthorization: false,
  defaultModelsExpandDepth: 0,
  requestInterceptor: (request) => {
    // For whoever is signed in to the admin and brings no other credential.
    if (request.method !== undefined && request.method !== "GET") request.headers["X-CSRFToken"] = csrfToken;
    return request;
  },
});
