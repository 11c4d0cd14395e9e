const integerFormat = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 0 })

/** `1,204` */
export function formatInteger(value: number): string {
  return integerFormat.format(value)
}

/** `1 user`, `1,204 users`. */
export function pluralize(count: number, singular: string): string {
  return `${formatInteger(count)} ${singular}${count === 1 ? '' : 's'}`
}

/** `once`, `twice`, `1,204 times`. */
export function formatTimes(count: number): string {
  return count === 1 ? 'once' : count === 2 ? 'twice' : `${formatInteger(count)} times`
}

/** `3.4 MB` */
export function formatBytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let size = value
  let unit = 0
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000
    unit += 1
  }
  return `${unit === 0 || size >= 100 ? Math.round(size) : size.toFixed(1)} ${units[unit]}`
}

/** `1,204`; decimal text, as of costs, with at most four decimals: `2.5`. */
export function formatAmount(value: number | string): string {
  if (typeof value === 'number') return formatInteger(value)
  return value.replace(/(\.\d{4})\d+$/, '$1').replace(/\.?0+$/, (zeros) => (zeros.includes('.') ? '' : zeros))
}

/** `0.0040`: decimal text, always with four decimals. */
export function formatCost(value: number | string): string {
  return Number(value).toFixed(4)
}

/** `34 %` */
export function formatPercent(ratio: number): string {
  return `${Math.round(ratio * 100)} %`
}

const compactFormat = new Intl.NumberFormat('en-GB', { notation: 'compact', maximumFractionDigits: 1 })

/** `1.2K`, for columns and axes. */
export function formatCompact(value: number): string {
  return compactFormat.format(value)
}
