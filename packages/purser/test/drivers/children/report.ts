import { writeSync } from 'node:fs'

const cell = new Int32Array(new SharedArrayBuffer(4))

/** Says a line on standard output before anything else happens, however slowly the other side reads. */
export function say(line: string): void {
  for (let rest = Buffer.from(`${line}\n`); rest.length > 0; ) {
    try {
      rest = rest.subarray(writeSync(1, rest))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      Atomics.wait(cell, 0, 0, 1)
    }
  }
}
