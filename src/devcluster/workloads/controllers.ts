/** What Kubernetes' controller manager does for workloads: Deployments, ReplicaSets, Jobs and CronJobs come to be pods. */
import { Informer } from '../../kube/informer.ts'
import { cronJobs, deployments, jobs, pods, replicaSets } from '../../kube/object-types.ts'
import type { ControllerOptions } from './control/controller.ts'
import { cronJobController } from './cronjobs/cron-job-controller.ts'
import { deploymentController } from './deployments/deployment-controller.ts'
import { replicaSetController } from './deployments/replica-set-controller.ts'
import { jobController } from './jobs/job-controller.ts'

/** Works until `signal` aborts. */
export async function runControllers(options: ControllerOptions, signal: AbortSignal): Promise<void> {
  const { client } = options
  const informers = {
    deployments: new Informer({ client, type: deployments }),
    replicaSets: new Informer({ client, type: replicaSets }),
    jobs: new Informer({ client, type: jobs }),
    cronJobs: new Informer({ client, type: cronJobs }),
    pods: new Informer({ client, type: pods }),
  }
  const controllers = [
    deploymentController(options, informers),
    replicaSetController(options, informers),
    jobController(options, informers),
    cronJobController(options, informers),
  ]
  await Promise.all([
    ...controllers.map((controller) => controller.run(signal)),
    ...Object.values(informers).map((informer) => informer.run(signal)),
  ])
}
