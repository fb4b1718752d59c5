// A default socket.io-client. Each event it gets is a line of JSON on stdout: [name, data].
// Each line on stdin is an event to send: [name, data]; the end of stdin ends it.
import { createInterface } from "node:readline";
import { io } from "socket.io-client";

const [url, token] = process.argv.slice(2);
const socket = token ? io(url, { auth: { token } }) : io(url);
const report = (name, data) => console.log(JSON.stringify([name, data ?? null]));

socket.onAny((name, data) => report(name, data));
// It starts with polling; "upgrade" tells that it has changed over to WebSocket.
socket.io.on("open", () => socket.io.engine.once("upgrade", () => report("upgrade")));
socket.on("connect", () => report("connect"));
socket.on("connect_error", (error) => report("connect_error", { message: error.message, data: error.data ?? null }));
socket.on("disconnect", (reason) => report("disconnect", reason));

const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => socket.emit(...JSON.parse(line)));
lines.on("close", () => {
  socket.disconnect();
  process.exit(0);
});
