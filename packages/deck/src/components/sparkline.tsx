import './sparkline.css'
import type { ReactElement } from 'react'

const WIDTH_PX = 72
const HEIGHT_PX = 18

/** Small bars without an axis. Hidden from assistive technology: a figure is always beside them. */
export function Sparkline({ values }: { values: readonly number[] }): ReactElement {
  const most = Math.max(1, ...values)
  const step = WIDTH_PX / values.length
  return (
    <svg
      className="sparkline"
      viewBox={`0 0 ${WIDTH_PX} ${HEIGHT_PX}`}
      width={WIDTH_PX}
      height={HEIGHT_PX}
      aria-hidden="true"
    >
      {values.map((value, index) => {
        const height = value === 0 ? 1 : Math.max(2, (value / most) * HEIGHT_PX)
        const key = `${index}`
        return (
          <rect
            key={key}
            x={index * step}
            y={HEIGHT_PX - height}
            width={step * 0.7}
            height={height}
            className={value === 0 ? 'sparkline__bar' : 'sparkline__bar sparkline__bar--used'}
          />
        )
      })}
    </svg>
  )
}
