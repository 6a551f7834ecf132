import { expect, test } from "vitest";
import { pageConfig } from "./config";

const address = (text: string): URL => new URL(text);

test("the address goes before the server's word, which goes before the page's own origin", () => {
  const served = { signallingUrl: "wss://served:8443/" };
  const named = address("https://host/?signalling=ws%3A%2F%2Fnamed%3A1%2F");
  expect(pageConfig(named, served).signallingUrl).toBe("ws://named:1/");
  expect(pageConfig(address("https://host/page"), served).signallingUrl).toBe("wss://served:8443/");
  expect(pageConfig(address("https://host:9000/page?x"), undefined).signallingUrl).toBe("wss://host:9000/");
  expect(pageConfig(address("http://[::1]:8080/"), null).signallingUrl).toBe("ws://[::1]:8080/");
});

test.each([[null], [7], ["text"], [{}], [{ signallingUrl: 3 }], [{ signallingUrl: "" }]])(
  "a server's word that makes no sense (%j) is no word",
  (served) => {
    expect(pageConfig(address("http://host/"), served).signallingUrl).toBe("ws://host/");
  },
);

test("what is watched and shown is said in the address", () => {
  expect(pageConfig(address("http://h/?producer=p&autoplay=all&stats=0"), undefined)).toMatchObject({
    producer: "p",
    autoplay: "all",
    stats: false,
  });
  const plain = pageConfig(address("http://h/?autoplay=nonsense&producer="), undefined);
  expect(plain).toEqual({ signallingUrl: "ws://h/", autoplay: "none", stats: true });
});
