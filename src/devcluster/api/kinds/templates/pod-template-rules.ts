/** What makes a pod template invalid, whoever makes pods of it (ValidatePodTemplateSpec). */
import type { FieldProblem } from '../../field-problem.ts'
import { at, textMapAt } from '../../tree.ts'
import { annotationProblems, labelProblems } from '../metadata-rules.ts'
import { podSpecProblems } from '../pods/pod-rules.ts'

export function podTemplateProblems(template: unknown, path: string): FieldProblem[] {
  return [
    ...labelProblems(textMapAt(template, 'metadata', 'labels'), `${path}.labels`),
    ...annotationProblems(textMapAt(template, 'metadata', 'annotations'), `${path}.annotations`),
    ...podSpecProblems(at(template, 'spec'), `${path}.spec`),
  ]
}
