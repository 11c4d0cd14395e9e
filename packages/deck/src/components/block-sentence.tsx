import type { ReactElement } from 'react'
import type { Bond } from '../api/wire.ts'
import { AbsoluteTime, RelativeTime } from './timestamps.tsx'

/** Since when a user is blocked, by whom, why and until when. */
export function BlockSentence(props: { block: NonNullable<Bond['blocked']>; timeZone: string }): ReactElement {
  const { block, timeZone } = props
  return (
    <>
      <strong>Blocked</strong> <RelativeTime at={block.at} zone={timeZone} /> by {block.actor}: “{block.reason}”
      {block.until === null ? (
        ', until unblocked.'
      ) : (
        <>
          , until <AbsoluteTime at={block.until} zone={timeZone} />.
        </>
      )}
    </>
  )
}
