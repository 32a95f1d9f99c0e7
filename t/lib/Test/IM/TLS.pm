package Test::IM::TLS;

# Throw-away authorities and certificates, made with openssl.
#
#     my $ca = Test::IM::TLS->new($dir);          # $dir/ca.pem
#     $ca->issue('redis', san => 'IP:127.0.0.1'); # $dir/redis.pem, redis.key
#
# issue() takes: san (subject alternative names), expired (1: it was valid last
# year).

use strict;
use warnings;

use Carp qw(croak);


sub available { return !system('openssl version >/dev/null 2>&1') }


sub new {
    my ($class, $dir, $name) = @_;
    my $self = bless { dir => $dir, name => $name // 'ca' }, $class;
    openssl(qw(req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1
               -nodes -days 2 -subj), "/CN=throw-away $self->{name}",
            '-keyout', $self->file('key'), '-out', $self->file('pem'));
    return $self;
}


sub file { my ($self, $ext) = @_; return "$self->{dir}/$self->{name}.$ext" }


sub issue {
    my ($self, $name, %opt) = @_;
    my $at = "$self->{dir}/$name";

    openssl(qw(req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes),
            '-subj', "/CN=$name", '-keyout', "$at.key", '-out', "$at.csr");

    # "openssl x509" dates nothing back, "openssl ca" does

    open my $conf, '>', "$at.conf" or croak "$at.conf: $!";
    print {$conf} <<"CONF";
[ca]
default_ca = here
[here]
database = $at.db
new_certs_dir = $self->{dir}
certificate = ${\ $self->file('pem')}
private_key = ${\ $self->file('key')}
default_md = sha256
policy = any
rand_serial = yes
x509_extensions = ext
[any]
commonName = supplied
[ext]
subjectAltName = ${\ ($opt{san} // 'IP:127.0.0.1,DNS:localhost')}
CONF
    close $conf;
    open my $db, '>', "$at.db" or croak "$at.db: $!";
    close $db;

    my @time = gmtime(time - 365 * 86400);
    my $year = sprintf '%02d', $time[5] % 100;
    openssl('ca', '-batch', '-notext', '-config', "$at.conf", '-in', "$at.csr",
            '-out', "$at.pem",
            $opt{expired} ? ('-startdate', $year . '0101000000Z',
                             '-enddate', $year . '0102000000Z')
                          : ('-days', 2));
    return ("$at.pem", "$at.key");
}


sub openssl {
    my $pid = open(my $fh, '-|') // croak "fork: $!";
    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        open STDIN, '<', '/dev/null';
        exec 'openssl', @_;
    }
    my $out = join '', <$fh>;
    close $fh or croak "openssl @_: $out";
}


1;
