// Unpack the viewer and its data, both gzipped in base64, and start the viewer. The page's policy allows it by its hash.

/** @param {string} id @returns {HTMLElement} */
const held = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @param {string} id */
async function unpacked(id) {
  const packed = Uint8Array.from(atob((held(id).textContent || "").trim()), (letter) => letter.charCodeAt(0));
  return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
}

/** @param {string} reason */
function fail(reason) {
  held("failed").hidden = false;
  held("failed").textContent = `The page could not be shown: ${reason}`;
}

async function start() {
  held("data").textContent = await unpacked("data");
  const script = document.createElement("script");
  script.type = "module";
  script.textContent = await unpacked("viewer");
  held("viewer").replaceWith(script);
}

addEventListener("error", (event) => { if (!document.documentElement.dataset.ready) fail(event.message); });
start().catch((error) => { fail(error.message); throw error; });
