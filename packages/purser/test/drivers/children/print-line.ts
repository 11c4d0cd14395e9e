import { writeSync } from 'node:fs'

const cell = new Int32Array(new SharedArrayBuffer(4))

/** Writes a line to standard output synchronously, however slowly the other process reads. */
export function printLine(line: string): void {
  for (let rest = Buffer.from(`${line}\n`); rest.length > 0; ) {
    try {
      rest = rest.subarray(writeSync(1, rest))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      Atomics.wait(cell, 0, 0, 1)
    }
  }
}
