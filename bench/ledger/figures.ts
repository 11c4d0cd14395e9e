/** The value below which this part of the numbers lies. */
export function quantile(numbers: readonly number[], part: number): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN
}

export function median(numbers: readonly number[]): number {
  return quantile(numbers, 0.5)
}

export function whole(value: number): string {
  return Math.round(value).toLocaleString('en')
}

/** One line of the table: what was asked, what came out, what was aimed at. */
export interface Figure {
  readonly question: string
  readonly value: string
  readonly aim?: string
  readonly met?: boolean
}

export function printTable(figures: readonly Figure[]): void {
  console.log('| | figure | goal | met |')
  console.log('|---|--:|--:|:--|')
  for (const { question, value, aim = '', met } of figures)
    console.log(`| ${question} | ${value} | ${aim} | ${met === undefined ? '' : met ? 'yes' : '**no**'} |`)
}
