import { ApiError, type Reader, type Writer } from '../../kube/client.ts'
import { configMaps, secrets, serviceAccounts, type TokenRequest } from '../../kube/object-types.ts'
import { ProviderError, type StoreEnv } from '../providers/provider.ts'

/** What the stores of one namespace may read of the cluster. Throws ProviderError 'invalid' when the cluster refuses. */
export function clusterEnv(
  client: Pick<Reader, 'get'> & Pick<Writer, 'post'>,
  namespace: string,
): Pick<StoreEnv, 'secretValue' | 'configMapValue' | 'serviceAccountToken' | 'namespace'> {
  return {
    namespace,
    secretValue: async ({ name, key }) => {
      const secret = await answered(client.get(secrets, { namespace, name }))
      const text = secret?.data?.[key]
      return text === undefined ? undefined : Buffer.from(text, 'base64')
    },
    configMapValue: async ({ name, key }) => {
      const configMap = await answered(client.get(configMaps, { namespace, name }))
      return configMap?.data?.[key]
    },
    serviceAccountToken: async ({ name, audiences, ttlSeconds }) => {
      const request = {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        metadata: {},
        spec: { expirationSeconds: ttlSeconds, ...(audiences.length > 0 && { audiences }) },
      }
      const ref = { namespace, name }
      const answer = await answered(client.post<TokenRequest>(serviceAccounts, ref, 'token', request))
      if (!answer.status?.token)
        throw new ProviderError('invalid', `the cluster gave no token of ServiceAccount ${name}`)
      return answer.status.token
    },
  }
}

/** The cluster refused what the store refers to: the store object, or our rights, must change. */
async function answered<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked
  } catch (error) {
    if (error instanceof ApiError) throw new ProviderError('invalid', error.message, { cause: error })
    throw error
  }
}
