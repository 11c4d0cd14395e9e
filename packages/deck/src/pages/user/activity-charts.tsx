import { useQuery } from '@tanstack/react-query'
import type { ReactElement } from 'react'
import { userUsageQuery } from '../../api/queries.ts'
import type { Bond } from '../../api/wire.ts'
import { DailyUsage } from '../../components/daily-usage.tsx'
import { lastDays } from '../../time/days.ts'
import type { TimeRange } from './segment.ts'

const DAY_MS = 86_400_000
const MIN_DAYS = 7
const MAX_DAYS = 180

/** Turns and tokens of each day of the user in a range. */
export function ActivityCharts({ bond, range }: { bond: Bond; range: TimeRange }): ReactElement {
  const count = Math.min(MAX_DAYS, Math.max(MIN_DAYS, Math.ceil((range.to - range.from) / DAY_MS) + 1))
  const labels = lastDays(range.to, count, bond.timeZone)
  const usage = useQuery(userUsageQuery(bond.user, labels[0]))
  return <DailyUsage days={labels} usage={usage} />
}
