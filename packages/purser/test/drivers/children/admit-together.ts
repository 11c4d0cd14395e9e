import assert from 'node:assert/strict'
import { startChild } from '../../support/start-child.ts'

const ADMITTER = new URL('admitter.ts', import.meta.url)

export interface AdmittersOptions {
  /** URL or path of the store. */
  readonly location: string
  /** The attempts of each process. */
  readonly attempts: readonly number[]
  readonly cap: number
  /** Default: concurrent. */
  readonly mode?: 'concurrent' | 'sequential'
}

/** Starts processes that admit one user, lets all begin at once, and resolves to the attempts that each was allowed. */
export async function admitTogether({ location, attempts, cap, mode }: AdmittersOptions): Promise<number[]> {
  const children = attempts.map((count) =>
    startChild(ADMITTER, [location, String(count), String(cap), ...(mode === undefined ? [] : [mode])]),
  )
  for (const child of children) assert.equal(await child.line(), 'ready')
  for (const child of children) child.send('go')
  const allowed = await Promise.all(children.map((child) => child.line()))
  await Promise.all(children.map((child) => child.exited))
  return allowed.map(Number)
}

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
