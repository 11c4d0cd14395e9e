import type { AnswerBatch, AnswerLimits, NewAnswer } from '../../../storage/answer-store.ts'

/**
 * A batch of answers as one flat list of values, because cloning an object per row takes several times as long in both
 * threads.
 */
export interface PackedAnswers {
  readonly namespace: string
  readonly limits: AnswerLimits
  readonly macKey: Uint8Array
  /** The values of all rows, one row after the other. */
  readonly values: readonly PackedValue[]
}

type PackedValue = string | number | null

const FIELDS = 7

export function packAnswers({ namespace, limits, macKey, rows }: AnswerBatch): PackedAnswers {
  const values: PackedValue[] = []
  for (const { owner, key, generation, storedAt, expiresAt, bytes, value } of rows)
    values.push(owner, key, generation, storedAt, expiresAt, bytes, value)
  return { namespace, limits, macKey, values }
}

export function unpackAnswers({ values }: PackedAnswers): NewAnswer[] {
  return Array.from({ length: values.length / FIELDS }, (_, index) => {
    const [owner, key, generation, storedAt, expiresAt, bytes, value] = values.slice(
      index * FIELDS,
      (index + 1) * FIELDS,
    ) as [string, string, number, number, number | null, number, string]
    return { owner, key, generation, storedAt, expiresAt, bytes, value }
  })
}
