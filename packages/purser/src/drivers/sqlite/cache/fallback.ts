import type { AnswerStore } from '../../../storage/answer-store.ts'
import type { LastGoodStore } from '../../../storage/last-good-store.ts'
import { createMemoryAnswers } from '../../memory/answers.ts'
import { createMemoryLastGood } from '../../memory/last-good.ts'
import { isCorrupt } from '../errors.ts'
import type { CacheWriter } from '../worker/threads.ts'

/*
 * A cache file that is found damaged while it is used is replaced at the next start. Until then its data, which is
 * rebuildable, is in memory: no call fails because of it, and nothing that was forgotten is found again.
 */

export interface CacheFallback {
  /** Runs `call`; when the file is damaged, `instead`, also in all later calls. */
  run<Result>(call: () => Promise<Result>, instead: () => Promise<Result>): Promise<Result>
}

export function createCacheFallback(writer: CacheWriter): CacheFallback {
  let isDamaged = false
  return {
    async run(call, instead) {
      if (isDamaged) return instead()
      try {
        return await call()
      } catch (error) {
        if (!isCorrupt(error)) throw error
        isDamaged = true
        await writer.call('markDamaged').catch(() => undefined)
        return instead()
      }
    },
  }
}

export function withMemoryAnswers(file: AnswerStore, { run }: CacheFallback): AnswerStore {
  const memory = createMemoryAnswers()
  return {
    file: file.file,
    generation: (...args) =>
      run(
        () => file.generation(...args),
        () => memory.generation(...args),
      ),
    get: (...args) =>
      run(
        () => file.get(...args),
        () => memory.get(...args),
      ),
    page: (...args) =>
      run(
        () => file.page(...args),
        () => memory.page(...args),
      ),
    put: (...args) =>
      run(
        () => file.put(...args),
        () => memory.put(...args),
      ),
    touch: (...args) =>
      run(
        () => file.touch(...args),
        () => memory.touch(...args),
      ),
    remove: (...args) =>
      run(
        () => file.remove(...args),
        () => memory.remove(...args),
      ),
    forget: (...args) =>
      run(
        () => file.forget(...args),
        () => memory.forget(...args),
      ),
    clear: (...args) =>
      run(
        () => file.clear(...args),
        () => memory.clear(...args),
      ),
    sweep: (...args) =>
      run(
        () => file.sweep(...args),
        () => memory.sweep(...args),
      ),
    totals: (...args) => file.totals(...args),
  }
}

export function withMemoryLastGood(file: LastGoodStore, { run }: CacheFallback): LastGoodStore {
  const memory = createMemoryLastGood()
  return {
    open: (...args) =>
      run(
        () => file.open(...args),
        () => memory.open(...args),
      ),
    put: (...args) =>
      run(
        () => file.put(...args),
        () => memory.put(...args),
      ),
    drop: (...args) =>
      run(
        () => file.drop(...args),
        () => memory.drop(...args),
      ),
  }
}
