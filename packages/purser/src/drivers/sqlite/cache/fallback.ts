import type { Effects } from '../../../core/effects.ts'
import type { AnswerStore } from '../../../storage/answer-store.ts'
import type { InstanceStore } from '../../../storage/instance-store.ts'
import type { LastGoodStore } from '../../../storage/last-good-store.ts'
import { createMemoryAnswers } from '../../memory/answers.ts'
import { createMemoryInstances } from '../../memory/instances.ts'
import { createMemoryLastGood } from '../../memory/last-good.ts'
import { type Calls, wrapCalls } from '../../wrap-calls.ts'
import { isCorrupt } from '../errors.ts'
import type { CacheWriter } from '../worker/threads.ts'

/*
 * A cache file that is found damaged while it is used is replaced at the next start. Until then its data, which is
 * rebuildable, is in memory: no call fails because of it, and nothing that was forgotten is found again.
 */

export interface CacheFallback {
  /** Runs `call`; when the file is damaged, `instead`, also in all later calls. */
  run<Result>(call: () => Promise<Result>, instead: () => Promise<Result>): Promise<Result>
  /** The same for a call that returns at once. */
  runNow<Result>(call: () => Result, instead: () => Result): Result
}

export function createCacheFallback(writer: CacheWriter): CacheFallback {
  let isDamaged = false
  /** Throws any other error again. */
  async function markDamaged(error: unknown): Promise<void> {
    if (!isCorrupt(error)) throw error
    isDamaged = true
    await writer.call('markDamaged').catch(() => undefined)
  }
  return {
    async run(call, instead) {
      if (isDamaged) return instead()
      try {
        return await call()
      } catch (error) {
        await markDamaged(error)
        return instead()
      }
    },
    runNow(call, instead) {
      if (isDamaged) return instead()
      try {
        return call()
      } catch (error) {
        if (!isCorrupt(error)) throw error
        void markDamaged(error)
        return instead()
      }
    },
  }
}

export function withMemoryAnswers(fileAnswers: AnswerStore, fallback: CacheFallback): AnswerStore {
  const { file, totals, generation, ...calls } = fileAnswers
  const memory = createMemoryAnswers()
  return {
    ...withMemory(calls, memory, fallback),
    file,
    totals,
    generation: (scope) =>
      fallback.runNow(
        () => generation(scope),
        () => memory.generation(scope),
      ),
  }
}

export function withMemoryLastGood(fileLastGood: LastGoodStore, fallback: CacheFallback): LastGoodStore {
  return withMemory(fileLastGood, createMemoryLastGood(), fallback)
}

export function withMemoryInstances(
  fileInstances: InstanceStore,
  fallback: CacheFallback,
  effects: Effects,
): InstanceStore {
  return withMemory(fileInstances, createMemoryInstances(effects), fallback)
}

function withMemory<Part extends Calls<Part>>(file: Part, memory: Part, { run }: CacheFallback): Part {
  return wrapCalls(file, (call, name) => (...args) => {
    return run(
      () => call(...args),
      () => memory[name](...args),
    )
  })
}
