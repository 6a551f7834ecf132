/**
 * An `EventTarget` whose events are typed: `Details` maps each event's name to what its `detail` holds.
 *
 * Listeners can be added with {@link on}, or with `addEventListener`, where they get a `CustomEvent`.
 */
export class TypedEventTarget<Details extends object> extends EventTarget {
  /**
   * Calls `listener` with the detail of each event of that name.
   *
   * @returns a function that removes the listener.
   */
  on<Name extends keyof Details & string>(
    name: Name,
    listener: (detail: Details[Name]) => void,
    options?: AddEventListenerOptions,
  ): () => void {
    const wrapped = (event: Event): void => {
      listener((event as CustomEvent<Details[Name]>).detail);
    };
    this.addEventListener(name, wrapped, options);
    return () => {
      this.removeEventListener(name, wrapped, options);
    };
  }

  /** Dispatches an event; for the classes that extend this one. */
  protected emit<Name extends keyof Details & string>(name: Name, detail: Details[Name]): void {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
