// Listeners by name. A listener that throws stops no other and no bookkeeping: its error surfaces as an uncaught one.

/**
 * `Events` has what each listener is called with, by name.
 * @template {{ [Name in keyof Events]: any[] }} Events
 */
export class Emitter {
  /** @type {Map<keyof Events, Set<(...values: any[]) => void>>} */
  #listeners = new Map();

  /**
   * @template {keyof Events} Name
   * @param {Name} name
   * @param {(...values: Events[Name]) => void} listener
   * @returns {() => void} how to stop listening
   */
  on(name, listener) {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(listener));
    return () => void listeners.delete(listener);
  }

  /**
   * @template {keyof Events} Name
   * @param {Name} name
   * @param {Events[Name]} values
   * @protected
   */
  emit(name, ...values) {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) {
      try {
        listener(...values);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
