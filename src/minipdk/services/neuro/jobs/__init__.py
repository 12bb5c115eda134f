"""Jobs, from a client's request to the log that outlives the Pod.

`submission` reads the request, `jobs` accepts, lists and ends jobs, `presets` are their resources. `runner` creates
a job's Pod through the Kubernetes API (`pods`), follows it, and copies its log (`logs`). A job of kaniko's image is a build
(`builds`), which the process `builder` carries out with `minipdk.images`.
"""
