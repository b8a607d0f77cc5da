// The one websocket: messages are unpacked here, and frames acknowledged when they were drawn.

const KINDS = { f4: Float32Array, u1: Uint8Array };

// What `wire.py` packs: the length of a JSON object, the object, the arrays; then a file, if any.
export function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const head = new TextDecoder().decode(new Uint8Array(buffer, 4, length));
  const message = JSON.parse(head);
  const start = 4 + length;
  const arrays = {};
  for (const [name, kind, shape, place] of message.arrays) {
    const size = shape.reduce((a, b) => a * b, 1);
    arrays[name] = { shape, data: new KINDS[kind](buffer, start + place, size) };
  }
  return { ...message, arrays, rest: message.type === "file" ? buffer.slice(start) : null };
}

export class Connection {
  // `onMessage` takes the type of a message, and the message.
  constructor(onMessage) {
    this.onMessage = onMessage;
    this.frame = null; // the one that is to be drawn
    this.open();
  }

  open() {
    this.reason = "";
    this.socket = new WebSocket(`ws${location.protocol === "https:" ? "s" : ""}://${location.host}/session`);
    this.socket.binaryType = "arraybuffer";
    this.socket.onmessage = ({ data }) => this.hear(unpack(data));
    this.socket.onclose = () => this.onMessage("closed", this.reason || "the server has stopped");
  }

  hear(message) {
    if (message.type === "ended") {
      this.reason = message.reason;
    } else if (message.type === "frame") {
      // A hidden page draws nothing, so it gets no further frame, and the training waits.
      this.frame = message;
      requestAnimationFrame(() => {
        if (this.frame) this.onMessage("frame", this.frame);
        this.frame = null;
        this.say("seen");
      });
    } else {
      if (message.type === "built") this.frame = null; // of the network before
      this.onMessage(message.type, message);
    }
  }

  say(type, values = {}) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ type, ...values }));
  }

  sendFile(type, file) {
    const head = JSON.stringify({ type, name: (file.name || "").slice(0, 100) }) + "\n";
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(new Blob([head, file]));
  }
}
