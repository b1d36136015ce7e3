// Speaks with a passkey, for the pages that enrol one or sign in with one. It fetches nothing: the question stands on
// the page, the answer goes into its form. Without it the form stays hidden and the page names another way.
"use strict";
(() => {
  const form = document.querySelector("form[data-passkey]");
  if (!form || !window.PublicKeyCredential || !navigator.credentials) return;
  const bytes = (text) =>
    Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const options = JSON.parse(form.dataset.options).publicKey;
  options.challenge = bytes(options.challenge);
  if (options.user) options.user.id = bytes(options.user.id);
  for (const list of [options.excludeCredentials, options.allowCredentials])
    for (const known of list || []) known.id = bytes(known.id);
  const written = (credential) => {
    const response = {};
    for (const part of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"])
      if (credential.response[part]) response[part] = text(credential.response[part]);
    const { id, type } = credential;
    return JSON.stringify({ id, rawId: text(credential.rawId), type, response, extensions: {} });
  };
  document.querySelectorAll("[data-without]").forEach((part) => (part.hidden = true));
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    if (form.elements.credential.value) return;
    event.preventDefault();
    const failed = document.getElementById("passkey-failed");
    failed.hidden = true;
    try {
      const credential = await navigator.credentials[form.dataset.passkey]({ publicKey: options });
      form.elements.credential.value = written(credential);
      form.submit();
    } catch {
      failed.hidden = false;
      failed.focus();
    }
  });
})();
