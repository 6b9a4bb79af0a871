/** Bodies that kubectl 1.34.4 and 1.36.3 sent (byte for byte the same) through a recording proxy, and the same objects as `kubectl --dry-run=client -o json` printed them; recorded for this project. */
export const recordedBodies: readonly { readonly line: string; readonly body: string; readonly json: string }[] = [
  {
    line: 'create secret generic s --from-literal=a=b --from-file=bin.dat',
    body: 'azhzAAoMCgJ2MRIGU2VjcmV0Ei8KEQoBcxIAGgAiACoAMgA4AEIAEgYKAWESAWISEAoHYmluLmRhdBIFAP8BAv4aABoAIgA=',
    json: '{"kind":"Secret","apiVersion":"v1","metadata":{"name":"s"},"data":{"a":"Yg==","bin.dat":"AP8BAv4="}}',
  },
  {
    line: 'create configmap c --from-literal=a=b --from-file=bin.dat --from-file=text.txt',
    body: 'azhzAAoPCgJ2MRIJQ29uZmlnTWFwEkEKEQoBYxIAGgAiACoAMgA4AEIAEgYKAWESAWISEgoIdGV4dC50eHQSBmhlbGxvChoQCgdiaW4uZGF0EgUA/wEC/hoAIgA=',
    json: '{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"c"},"data":{"a":"b","text.txt":"hello\\n"},"binaryData":{"bin.dat":"AP8BAv4="}}',
  },
  {
    line: 'create namespace pbns',
    body: 'azhzAAoPCgJ2MRIJTmFtZXNwYWNlEhwKFAoEcGJucxIAGgAiACoAMgA4AEIAEgAaAgoAGgAiAA==',
    json: '{"kind":"Namespace","apiVersion":"v1","metadata":{"name":"pbns"},"spec":{},"status":{}}',
  },
  {
    line: 'create serviceaccount robot',
    body: 'azhzAAoUCgJ2MRIOU2VydmljZUFjY291bnQSFwoVCgVyb2JvdBIAGgAiACoAMgA4AEIAGgAiAA==',
    json: '{"kind":"ServiceAccount","apiVersion":"v1","metadata":{"name":"robot"}}',
  },
  {
    line: 'create role r --verb=get,list --resource=pods,secrets --resource-name=x',
    body: 'azhzAAokChxyYmFjLmF1dGhvcml6YXRpb24uazhzLmlvL3YxEgRSb2xlEjQKEQoBchIAGgAiACoAMgA4AEIAEh8KA2dldAoEbGlzdBIAGgRwb2RzGgdzZWNyZXRzIgF4GgAiAA==',
    json: '{"kind":"Role","apiVersion":"rbac.authorization.k8s.io/v1","metadata":{"name":"r"},"rules":[{"verbs":["get","list"],"apiGroups":[""],"resources":["pods","secrets"],"resourceNames":["x"]}]}',
  },
  {
    line: 'create clusterrole cr --verb=get --non-resource-url=/healthz',
    body: 'azhzAAorChxyYmFjLmF1dGhvcml6YXRpb24uazhzLmlvL3YxEgtDbHVzdGVyUm9sZRIlChIKAmNyEgAaACIAKgAyADgAQgASDwoDZ2V0KggvaGVhbHRoehoAIgA=',
    json: '{"kind":"ClusterRole","apiVersion":"rbac.authorization.k8s.io/v1","metadata":{"name":"cr"},"rules":[{"verbs":["get"],"nonResourceURLs":["/healthz"]}]}',
  },
  {
    line: 'create clusterrole agg --aggregation-rule=rbac.example.org/aggregate=true',
    body: 'azhzAAorChxyYmFjLmF1dGhvcml6YXRpb24uazhzLmlvL3YxEgtDbHVzdGVyUm9sZRI9ChMKA2FnZxIAGgAiACoAMgA4AEIAGiYKJAoiChpyYmFjLmV4YW1wbGUub3JnL2FnZ3JlZ2F0ZRIEdHJ1ZRoAIgA=',
    json: '{"kind":"ClusterRole","apiVersion":"rbac.authorization.k8s.io/v1","metadata":{"name":"agg"},"rules":null,"aggregationRule":{"clusterRoleSelectors":[{"matchLabels":{"rbac.example.org/aggregate":"true"}}]}}',
  },
  {
    line: 'create rolebinding rb --clusterrole=view --user=ann --group=devs --serviceaccount=default:robot',
    body: 'azhzAAorChxyYmFjLmF1dGhvcml6YXRpb24uazhzLmlvL3YxEgtSb2xlQmluZGluZxK+AQoSCgJyYhIAGgAiACoAMgA4AEIAEigKBFVzZXISGXJiYWMuYXV0aG9yaXphdGlvbi5rOHMuaW8aA2FubiIAEioKBUdyb3VwEhlyYmFjLmF1dGhvcml6YXRpb24uazhzLmlvGgRkZXZzIgASIgoOU2VydmljZUFjY291bnQSABoFcm9ib3QiB2RlZmF1bHQaLgoZcmJhYy5hdXRob3JpemF0aW9uLms4cy5pbxILQ2x1c3RlclJvbGUaBHZpZXcaACIA',
    json: '{"kind":"RoleBinding","apiVersion":"rbac.authorization.k8s.io/v1","metadata":{"name":"rb"},"subjects":[{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"ann"},{"kind":"Group","apiGroup":"rbac.authorization.k8s.io","name":"devs"},{"kind":"ServiceAccount","name":"robot","namespace":"default"}],"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"view"}}',
  },
  {
    line: 'create clusterrolebinding crb --clusterrole=view --user=ann',
    body: 'azhzAAoyChxyYmFjLmF1dGhvcml6YXRpb24uazhzLmlvL3YxEhJDbHVzdGVyUm9sZUJpbmRpbmcSbwoTCgNjcmISABoAIgAqADIAOABCABIoCgRVc2VyEhlyYmFjLmF1dGhvcml6YXRpb24uazhzLmlvGgNhbm4iABouChlyYmFjLmF1dGhvcml6YXRpb24uazhzLmlvEgtDbHVzdGVyUm9sZRoEdmlldxoAIgA=',
    json: '{"kind":"ClusterRoleBinding","apiVersion":"rbac.authorization.k8s.io/v1","metadata":{"name":"crb"},"subjects":[{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"ann"}],"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"view"}}',
  },
  {
    line: 'create deployment d --image=a:1 --replicas=3 --port=80',
    body: 'azhzAAoVCgdhcHBzL3YxEgpEZXBsb3ltZW50EqkBChsKAWQSABoAIgAqADIAOABCAFoICgNhcHASAWQSfAgDEgoKCAoDYXBwEgFkGmQKGgoAEgAaACIAKgAyADgAQgBaCAoDYXBwEgFkEkYSKAoBYRIDYToxKgAyCgoAEAAYUCIAKgBCAGoAcgCAAQCIAQCQAQCiAQAaADIAQgBKAFIAWABgAGgAggEAigEAmgEAwgEAIgIKACgAOAAaDAgAEAAYACAAKAA4ABoAIgA=',
    json: '{"kind":"Deployment","apiVersion":"apps/v1","metadata":{"name":"d","labels":{"app":"d"}},"spec":{"replicas":3,"selector":{"matchLabels":{"app":"d"}},"template":{"metadata":{"labels":{"app":"d"}},"spec":{"containers":[{"name":"a","image":"a:1","ports":[{"containerPort":80}],"resources":{}}]}},"strategy":{}},"status":{}}',
  },
  {
    line: 'create job j --image=b -- sh -c true',
    body: 'azhzAAoPCghiYXRjaC92MRIDSm9iEoABChEKAWoSABoAIgAqADIAOABCABJhMl8KEAoAEgAaACIAKgAyADgAQgASSxIoCgFqEgFiGgJzaBoCLWMaBHRydWUqAEIAagByAIABAIgBAJABAKIBABoFTmV2ZXIyAEIASgBSAFgAYABoAIIBAIoBAJoBAMIBABoIIAAoADAAOgAaACIA',
    json: '{"kind":"Job","apiVersion":"batch/v1","metadata":{"name":"j"},"spec":{"template":{"metadata":{},"spec":{"containers":[{"name":"j","image":"b","command":["sh","-c","true"],"resources":{}}],"restartPolicy":"Never"}}},"status":{}}',
  },
  {
    line: 'create cronjob cj --image=b --schedule=@hourly -- date',
    body: 'azhzAAoTCghiYXRjaC92MRIHQ3JvbkpvYhKaAQoSCgJjahIAGgAiACoAMgA4AEIAEoEBCgdAaG91cmx5GgAqdAoSCgJjahIAGgAiACoAMgA4AEIAEl4yXAoQCgASABoAIgAqADIAOABCABJIEiEKAmNqEgFiGgRkYXRlKgBCAGoAcgCAAQCIAQCQAQCiAQAaCU9uRmFpbHVyZTIAQgBKAFIAWABgAGgAggEAigEAmgEAwgEAGgAaACIA',
    json: '{"kind":"CronJob","apiVersion":"batch/v1","metadata":{"name":"cj"},"spec":{"schedule":"@hourly","jobTemplate":{"metadata":{"name":"cj"},"spec":{"template":{"metadata":{},"spec":{"containers":[{"name":"cj","image":"b","command":["date"],"resources":{}}],"restartPolicy":"OnFailure"}}}}},"status":{}}',
  },
  {
    line: 'create service clusterip cs --tcp=80:8080',
    body: 'azhzAAoNCgJ2MRIHU2VydmljZRJmCh0KAmNzEgAaACIAKgAyADgAQgBaCQoDYXBwEgJjcxJBChsKBzgwLTgwODASA1RDUBhQIgcIABCQPxoAKAASCQoDYXBwEgJjcxoAIglDbHVzdGVySVA6AEIAUgBaAGAAaAAaAgoAGgAiAA==',
    json: '{"kind":"Service","apiVersion":"v1","metadata":{"name":"cs","labels":{"app":"cs"}},"spec":{"ports":[{"name":"80-8080","protocol":"TCP","port":80,"targetPort":8080}],"selector":{"app":"cs"},"type":"ClusterIP"},"status":{"loadBalancer":{}}}',
  },
  {
    line: 'create service nodeport np --tcp=80:http --node-port=30080',
    body: 'azhzAAoNCgJ2MRIHU2VydmljZRJqCh0KAm5wEgAaACIAKgAyADgAQgBaCQoDYXBwEgJucBJFCiAKBzgwLWh0dHASA1RDUBhQIgoIARAAGgRodHRwKIDrARIJCgNhcHASAm5wGgAiCE5vZGVQb3J0OgBCAFIAWgBgAGgAGgIKABoAIgA=',
    json: '{"kind":"Service","apiVersion":"v1","metadata":{"name":"np","labels":{"app":"np"}},"spec":{"ports":[{"name":"80-http","protocol":"TCP","port":80,"targetPort":"http","nodePort":30080}],"selector":{"app":"np"},"type":"NodePort"},"status":{"loadBalancer":{}}}',
  },
  {
    line: 'create service externalname en --external-name=example.org',
    body: 'azhzAAoNCgJ2MRIHU2VydmljZRJXCh0KAmVuEgAaACIAKgAyADgAQgBaCQoDYXBwEgJlbhIyEgkKA2FwcBICZW4aACIMRXh0ZXJuYWxOYW1lOgBCAFILZXhhbXBsZS5vcmdaAGAAaAAaAgoAGgAiAA==',
    json: '{"kind":"Service","apiVersion":"v1","metadata":{"name":"en","labels":{"app":"en"}},"spec":{"selector":{"app":"en"},"type":"ExternalName","externalName":"example.org"},"status":{"loadBalancer":{}}}',
  },
]
