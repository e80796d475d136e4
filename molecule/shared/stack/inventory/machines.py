#!/work/main/.venv/bin/python
import json,pathlib
f=pathlib.Path(__file__).resolve().parent.parent/"terraform.tfstate"
s=json.loads(f.read_text()) if f.exists() and f.read_text() else {}
m=(s.get("outputs") or {}).get("mesh_machines",{}).get("value",{})
out={"_meta":{"hostvars":{k:{"ansible_host":v["address"],"ansible_user":v["user"]} for k,v in m.items()}},"mesh_machines":{"hosts":list(m)}}
for k,v in m.items(): out.setdefault(v["workload"].replace("-","_"),{"hosts":[]})["hosts"].append(k)
print(json.dumps(out))
