import './users-overview.css'
import type { ReactElement } from 'react'
import { Link } from 'wouter'
import type { Vocabulary } from '../../api/vocabulary.ts'
import type { Overview } from '../../api/wire.ts'
import { type UserSearch, usersPath } from '../../browser/location.ts'
import { Surface } from '../../components/card.tsx'
import { heatOf, PhaseTag, RiskTag } from '../../components/tags.tsx'
import { formatInteger } from '../../format-number.ts'

/** Counts over all users. Every count is a link to the list with that filter. */
export function UsersOverview(props: {
  overview: Overview
  vocabulary: Vocabulary
  search?: UserSearch
}): ReactElement {
  const { overview, vocabulary, search } = props
  return (
    <Surface className="users-overview" label="Overview">
      <div className="users-overview__totals">
        <Total label="Users" value={overview.users} href={usersPath({})} />
        <Total label="Blocked" value={overview.blocked} href={usersPath({ blocked: 'true' })} />
      </div>
      <Distribution
        title="By phase"
        shares={vocabulary.phases.map((phase) => ({
          name: phase,
          count: overview.phases[phase] ?? 0,
          href: usersPath({ phase: search?.phase === phase ? '' : phase }),
          isSelected: search?.phase === phase,
          tone: { 'data-hue': vocabulary.hueOf(phase) },
          tag: <PhaseTag phase={phase} vocabulary={vocabulary} />,
        }))}
      />
      <Distribution
        title="By risk"
        shares={vocabulary.riskLevels.map((level) => ({
          name: level,
          count: overview.riskLevels[level] ?? 0,
          href: usersPath({ riskLevel: search?.riskLevel === level ? '' : level }),
          isSelected: search?.riskLevel === level,
          tone: { 'data-heat': heatOf(level, vocabulary) },
          tag: <RiskTag level={level} vocabulary={vocabulary} />,
        }))}
      />
    </Surface>
  )
}

function Total({ label, value, href }: { label: string; value: number; href: string }): ReactElement {
  return (
    <Link href={href} className="total">
      <span className="total__label">{label}</span>
      <span className="total__value">{formatInteger(value)}</span>
    </Link>
  )
}

interface Share {
  readonly name: string
  readonly count: number
  readonly href: string
  readonly isSelected: boolean
  readonly tone: Readonly<Record<string, number>>
  readonly tag: ReactElement
}

/** The users of each value, as one bar in proportion and as links. */
function Distribution({ title, shares }: { title: string; shares: readonly Share[] }): ReactElement {
  const shown = shares.filter(({ count, isSelected }) => count > 0 || isSelected)
  return (
    <div>
      <h2 className="distribution__title">{title}</h2>
      <div className="distribution__bar" aria-hidden="true">
        {shown.map(({ name, count, tone }) => (
          <span key={name} {...tone} style={{ '--share': String(count) } as Record<string, string>} />
        ))}
      </div>
      <ul className="distribution__list">
        {shown.map(({ name, count, href, isSelected, tag }) => (
          <li key={name}>
            <Link href={href} className="distribution__link" aria-current={isSelected ? 'true' : undefined}>
              {tag}
              <span className="muted tabular-nums">{formatInteger(count)}</span>
            </Link>
          </li>
        ))}
      </ul>
    </div>
  )
}
