import type { ReactElement } from 'react'
import { Link } from 'wouter'
import type { UserSearch } from '../../api/queries.ts'
import type { Vocabulary } from '../../api/vocabulary.ts'
import type { Overview } from '../../api/wire.ts'
import { heatOf, PhaseTag, RiskTag } from '../../components/tags.tsx'
import { whole } from '../../time/instants.ts'
import { listPath } from './search.ts'

/** Everybody at a glance; every figure is a way into the list. */
export function OverviewStrip(props: { overview: Overview; vocabulary: Vocabulary; search: UserSearch }): ReactElement {
  const { overview, vocabulary, search } = props
  return (
    <section className="strip" aria-label="Overview">
      <div className="strip-figures">
        <Figure label="Users" value={overview.users} href={listPath({})} />
        <Figure label="Blocked" value={overview.blocked} href={listPath({ blocked: 'true' })} />
      </div>
      <Spread
        title="By phase"
        counts={vocabulary.phases.map((phase) => ({
          name: phase,
          count: overview.phases[phase] ?? 0,
          href: listPath({ phase: search.phase === phase ? '' : phase }),
          chosen: search.phase === phase,
          tone: { 'data-hue': vocabulary.hueOf(phase) },
          tag: <PhaseTag phase={phase} vocabulary={vocabulary} />,
        }))}
      />
      <Spread
        title="By risk"
        counts={vocabulary.riskLevels.map((level) => ({
          name: level,
          count: overview.riskLevels[level] ?? 0,
          href: listPath({ riskLevel: search.riskLevel === level ? '' : level }),
          chosen: search.riskLevel === level,
          tone: { 'data-heat': heatOf(level, vocabulary) },
          tag: <RiskTag level={level} vocabulary={vocabulary} />,
        }))}
      />
    </section>
  )
}

function Figure({ label, value, href }: { label: string; value: number; href: string }): ReactElement {
  return (
    <Link href={href} className="figure">
      <span className="figure-label">{label}</span>
      <span className="figure-value">{whole(value)}</span>
    </Link>
  )
}

interface Share {
  readonly name: string
  readonly count: number
  readonly href: string
  readonly chosen: boolean
  readonly tone: Readonly<Record<string, number>>
  readonly tag: ReactElement
}

function Spread({ title, counts }: { title: string; counts: readonly Share[] }): ReactElement {
  const shown = counts.filter(({ count, chosen }) => count > 0 || chosen)
  return (
    <div className="spread">
      <h2 className="spread-title">{title}</h2>
      <div className="spread-bar" aria-hidden="true">
        {shown.map(({ name, count, tone }) => (
          <span key={name} {...tone} style={{ '--share': String(count) } as Record<string, string>} />
        ))}
      </div>
      <ul className="spread-list">
        {shown.map(({ name, count, href, chosen, tag }) => (
          <li key={name}>
            <Link href={href} className="spread-link" aria-current={chosen ? 'true' : undefined}>
              {tag}
              <span className="figures">{whole(count)}</span>
            </Link>
          </li>
        ))}
      </ul>
    </div>
  )
}
