# Certificates for the receiver, all for localhost but one. Sourced after scripts/lib.sh.
# shellcheck shell=bash

authority() { # authority FOLDER NAME
  quietly "$1/openssl.log" openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$2" \
    -keyout "$1/$2.key" -out "$1/$2.pem" || die "openssl made no authority $2"
}

certificate() { # certificate FOLDER NAME AUTHORITY DAYS HOST
  local folder=$1 name=$2
  quietly "$folder/openssl.log" openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$name" \
    -addext "subjectAltName=DNS:$5" -keyout "$folder/$name.key" -out "$folder/$name.csr" || die "openssl made no key for $name"
  quietly "$folder/openssl.log" openssl x509 -req -in "$folder/$name.csr" -CA "$folder/$3.pem" -CAkey "$folder/$3.key" -CAcreateserial \
    -copy_extensions copy -days "$4" -out "$folder/$name.pem" || die "openssl made no certificate for $name"
}

certificates() { # certificates FOLDER
  authority "$1" ca
  authority "$1" strange_ca
  certificate "$1" good ca 2 localhost
  certificate "$1" unknown strange_ca 2 localhost
  certificate "$1" expired ca -1 localhost
  certificate "$1" other_host ca 2 shop.example
  certificate "$1" client ca 2 outboxd
  chmod 600 "$1"/*.key
}
