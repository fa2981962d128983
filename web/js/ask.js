// A question before something that cannot be undone: a dialog with its form, in which the first button leaves everything as it is and the
// last one does it. The dialog stays until it is done, and says why where it could not be.

import { write } from './elements.js';
import { why } from './words.js';

export class Question {
  #box;
  #wrong;
  /** @type {() => Promise<any>} */
  #deed = async () => {};

  /** @param {any} box a dialog of the page with a form, `.wrong` and two buttons */
  constructor(box) {
    this.#box = box;
    this.#wrong = box.querySelector('.wrong');
    box.querySelector('button').onclick = () => box.close();
    box.querySelector('form').onsubmit = (/** @type {Event} */ event) => {
      event.preventDefault();
      void this.#do();
    };
  }

  /** @param {() => Promise<any>} deed what is done if the answer is yes */
  ask(deed) {
    this.#deed = deed;
    this.#wrong.hidden = true;
    this.#box.showModal();
  }

  close() {
    this.#box.close();
  }

  async #do() {
    const done = this.#box.querySelector('.danger');
    done.disabled = true;
    try {
      await this.#deed();
      this.#box.close();
    } catch (error) {
      this.#wrong.hidden = false;
      write(this.#wrong, why(/** @type {any} */ (error)));
    } finally {
      done.disabled = false;
    }
  }
}
