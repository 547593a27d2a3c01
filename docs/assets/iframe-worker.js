// iframe-worker: a browser refuses a Worker from a file, so the search of a site that was opened without a server runs
// in a hidden frame, which looks like a Worker to it.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(address) {
      super();
      const inside = `
        self.importScripts = (...addresses) => addresses.reduce((before, address) => before.then(() => new Promise(
          (loaded, failed) => {
            const script = document.createElement("script");
            Object.assign(script, { src: address, onload: loaded, onerror: failed });
            document.head.append(script);
          })), Promise.resolve());
        self.postMessage = message => parent.postMessage(message, "*");
        self.importScripts(${JSON.stringify(String(address))}).then(() => self.postMessage("worker is ready"));`;
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      this.frame.srcdoc = `<!doctype html><meta charset="utf-8"><script>${inside}<\/script>`;
      this.isReady = new Promise(ready => addEventListener("message", event => {
        if (event.source !== this.frame.contentWindow) return;
        event.stopImmediatePropagation();
        if (event.data === "worker is ready") { ready(); return; }
        const told = new MessageEvent("message", { data: event.data });
        this.dispatchEvent(told);
        this.onmessage?.(told);
      }));
      document.body ? document.body.append(this.frame)
        : addEventListener("DOMContentLoaded", () => document.body.append(this.frame));
    }
    postMessage(message) {
      // By this window's function: the frame's own one answers.
      this.isReady.then(() => postMessage.call(this.frame.contentWindow, message, "*"));
    }
    terminate() { this.frame.remove(); }
  };
}
